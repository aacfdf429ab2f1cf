using KpiControl.Control.Requests;

namespace KpiControl.Control.Changes;

/// <summary>Approvals that count for a bounded time, and the reviews of what was released by them; both are only ever added to.</summary>
internal static class BreakGlassStore
{
    private const string Approve = """
        INSERT INTO kpi_break_glass_approval (change_id, principal, tenant_id, capacity, digest, reason, expires_at)
        SELECT c.change_id, @by, c.tenant_id, @capacity, c.digest, @reason, now() + @life FROM kpi_change c
         WHERE c.change_id = @id AND c.state = 'open' AND c.expires_at > now() AND c.author <> @by
           AND NOT EXISTS (SELECT FROM kpi_break_glass_approval a WHERE a.change_id = c.change_id AND a.principal = @by AND a.expires_at > now())
        ON CONFLICT DO NOTHING
        """;

    /// <returns>False where one of this person still counts, or the change takes none any more.</returns>
    public static async Task<bool> ApproveAsync(RequestTransaction tx, long id, string capacity, string reason, TimeSpan life) =>
        await tx.ExecuteAsync(Approve, new { id, by = tx.Caller.Principal, capacity, reason, life }) == 1;

    private const string Approvals = """
        SELECT principal, capacity, digest, reason, decided_at, expires_at, expires_at > clock_timestamp() AS counts
          FROM kpi_break_glass_approval WHERE change_id = @id ORDER BY decided_at, principal
        """;

    public static Task<IReadOnlyList<BreakGlassRow>> ApprovalsAsync(RequestTransaction tx, long id) => tx.QueryAsync<BreakGlassRow>(Approvals, new { id });

    private const string Open = """
        INSERT INTO kpi_change_review (change_id, tenant_id, environment, reason, participants)
        SELECT change_id, tenant_id, environment, @reason, @participants FROM kpi_change WHERE change_id = @id
        """;

    public static Task OpenReviewAsync(RequestTransaction tx, long id, string reason, string[] participants) => tx.ExecuteAsync(Open, new { id, reason, participants });

    private const string Columns = """
        SELECT r.change_id, r.tenant_id, r.environment, c.job_id, r.reason, r.participants, r.opened_at, r.closed_at, r.closed_by, r.comment
          FROM kpi_change_review r JOIN kpi_change c USING (change_id)

        """;

    private const string Find = Columns + """
         WHERE r.change_id = @id
        """;

    /// <summary>Null: it was not released by breaking the glass.</summary>
    public static Task<ReviewRow?> ReviewAsync(RequestTransaction tx, long id) => tx.FindAsync<ReviewRow>(Find, new { id });

    private const string Page = Columns + """
         WHERE EXISTS (SELECT FROM unnest(@tenants::text[], @environments::text[]) AS g(tenant, environment)
                        WHERE g.tenant IN ('*', r.tenant_id) AND g.environment IN ('*', r.environment))
           AND (@tenant = '' OR r.tenant_id = @tenant) AND (@environment = '' OR r.environment = @environment)
           AND (@state = 'all' OR (r.closed_at IS NULL) = (@state = 'open')) AND (@before::bigint IS NULL OR r.change_id < @before)
         ORDER BY r.change_id DESC LIMIT @limit
        """;

    public static Task<IReadOnlyList<ReviewRow>> ReviewsAsync(RequestTransaction tx, object query) => tx.QueryAsync<ReviewRow>(Page, query);

    private const string Close = """
        UPDATE kpi_change_review SET closed_at = now(), closed_by = @by, comment = @comment
         WHERE change_id = @id AND closed_at IS NULL AND @by <> ALL (participants)
        """;

    /// <returns>False where somebody closed it at the same moment.</returns>
    public static async Task<bool> CloseAsync(RequestTransaction tx, long id, string comment) =>
        await tx.ExecuteAsync(Close, new { id, by = tx.Caller.Principal, comment }) == 1;
}

internal sealed record BreakGlassRow
{
    public required string Principal { get; init; }
    public required string Capacity { get; init; }
    public required string Digest { get; init; }
    public required string Reason { get; init; }
    public DateTimeOffset DecidedAt { get; init; }
    public DateTimeOffset ExpiresAt { get; init; }
    /// <summary>False once its time is over.</summary>
    public bool Counts { get; init; }
}

internal sealed record ReviewRow
{
    public long ChangeId { get; init; }
    public required string TenantId { get; init; }
    public required string Environment { get; init; }
    public required string JobId { get; init; }
    public required string Reason { get; init; }
    public required string[] Participants { get; init; }
    public DateTimeOffset OpenedAt { get; init; }
    public DateTimeOffset? ClosedAt { get; init; }
    public string? ClosedBy { get; init; }
    public string? Comment { get; init; }
}
