using KpiControl.Control.Authoring;
using KpiControl.Control.Requests;

namespace KpiControl.Control.Overrides;

/// <summary>An override with its job, as people see it; a pause is one, too.</summary>
internal sealed record OverrideRow
{
    public long OverrideId { get; init; }
    public long BindingId { get; init; }
    public required string TenantId { get; init; }
    public required string Environment { get; init; }
    public required string JobId { get; init; }
    public required string Kind { get; init; }
    public required string Value { get; init; }
    public required string Reason { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public required string CreatedBy { get; init; }
    /// <summary>Null: a pause until somebody resumes, a tweak until it is set back.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }
    public DateTimeOffset? EndedAt { get; init; }
    public string? EndedBy { get; init; }
    public string? Ending { get; init; }
    public string? EndReason { get; init; }
}

/// <summary>An override whose end was written.</summary>
internal sealed record EndedOverride
{
    public long OverrideId { get; init; }
    public long BindingId { get; init; }
    public required string Kind { get; init; }
    public required string Value { get; init; }
    public DateTimeOffset ExpiresAt { get; init; }
    public required string Ending { get; init; }
    public required string EndedBy { get; init; }
    public required string EndReason { get; init; }
}

/// <summary>Overrides: set, ended, and copied to their binding, all of it while the binding is held.</summary>
internal static class OverrideStore
{
    // One that had run out ended then, whoever notices first.
    // greatest: now() is when a transaction began, and one that waited for the binding may have begun before the row that it ends.
    private const string End = """
        UPDATE kpi_override o SET ended_at = least(o.expires_at, greatest(o.created_at, now())), ended_by = CASE WHEN o.expires_at <= now() THEN 'system' ELSE @by END,
               ending = CASE WHEN o.expires_at <= now() THEN 'expired' ELSE @ending END, end_reason = CASE WHEN o.expires_at <= now() THEN 'expired' ELSE x.why END
          FROM unnest(@bindings::bigint[], @kinds::text[], @whys::text[]) AS x(binding_id, kind, why)
         WHERE o.binding_id = x.binding_id AND o.kind = x.kind AND o.ended_at IS NULL
        RETURNING o.override_id, o.binding_id, o.kind, o.value, o.expires_at, o.ending, o.ended_by, o.end_reason
        """;

    /// <summary>Ends what stands, whether it had run out or not.</summary>
    /// <param name="ending">Of those that had not: <c>cleared</c>, <c>replaced</c> or <c>reconciled</c>.</param>
    public static Task<IReadOnlyList<EndedOverride>> EndAsync(RequestTransaction tx, string ending, IReadOnlyList<(long BindingId, string Kind, string Why)> which) =>
        tx.QueryAsync<EndedOverride>(End, new
        {
            ending, by = tx.Caller.Principal, bindings = which.Select(one => one.BindingId).ToArray(), kinds = which.Select(one => one.Kind).ToArray(), whys = which.Select(one => one.Why).ToArray(),
        });

    private const string Insert = """
        INSERT INTO kpi_override (binding_id, tenant_id, kind, value, reason, created_by, expires_at)
        VALUES (@BindingId, @TenantId, @kind, @value, @reason, @by, @expiresAt)
        """;

    public static Task AddAsync(RequestTransaction tx, Binding binding, string kind, string value, string reason, DateTimeOffset expiresAt) =>
        tx.ExecuteAsync(Insert, new { binding.BindingId, binding.TenantId, kind, value, reason, by = tx.Caller.Principal, expiresAt });

    private const string Copied = """
        (SELECT jsonb_agg(jsonb_build_object('override_id', o.override_id, 'kind', o.kind, 'value', o.value, 'created_at', o.created_at, 'expires_at', o.expires_at) ORDER BY o.override_id)
           FROM kpi_override o WHERE o.binding_id = b.binding_id AND o.ended_at IS NULL AND o.expires_at > now())
        """;

    private const string Copy = $"""
        UPDATE kpi_job_binding b SET overrides = {Copied}
         WHERE b.binding_id = ANY (@ids) RETURNING b.binding_id, b.overrides::text AS overrides_json
        """;

    /// <summary>What stands now, into the bindings; revisions copy it from there.</summary>
    /// <returns>By binding, as <see cref="OverrideList.Read"/> takes it.</returns>
    public static async Task<IReadOnlyDictionary<long, string?>> CopyAsync(RequestTransaction tx, long[] ids) =>
        (await tx.QueryAsync<CopyRow>(Copy, new { ids })).ToDictionary(row => row.BindingId, row => row.OverridesJson);

    private const string Revise = $"""
        UPDATE kpi_job_binding b SET overrides = {Copied}, revision = b.revision + 1
         WHERE b.binding_id = @BindingId AND b.revision = @Revision RETURNING b.binding_id, b.overrides::text AS overrides_json
        """;

    /// <summary>The same, as the binding's next revision.</summary>
    public static async Task<Binding> ReviseAsync(RequestTransaction tx, Binding binding) =>
        await tx.FindAsync<CopyRow>(Revise, new { binding.BindingId, binding.Revision }) is { } row
            ? binding with { OverridesJson = row.OverridesJson }
            : throw new InvalidOperationException("A binding changed while it was held.");

    // What ran out is over, though nobody has written that down yet.
    private const string All = """
        WITH o AS (
          SELECT override_id, binding_id, kind, value, reason, created_at, created_by, expires_at,
                 CASE WHEN ended_at IS NULL AND expires_at <= now() THEN expires_at ELSE ended_at END AS ended_at,
                 CASE WHEN ended_at IS NULL AND expires_at <= now() THEN 'system' ELSE ended_by END AS ended_by,
                 CASE WHEN ended_at IS NULL AND expires_at <= now() THEN 'expired' ELSE ending END AS ending, end_reason
            FROM kpi_override
          UNION ALL
          SELECT 0, p.binding_id, 'pause', '', p.reason, p.paused_at, p.paused_by, NULLIF(p.paused_until, 'infinity'),
                 CASE WHEN e.pause_id IS NULL AND p.paused_until <= now() THEN p.paused_until ELSE e.ended_at END,
                 CASE WHEN e.pause_id IS NULL AND p.paused_until <= now() THEN 'system' ELSE e.ended_by END,
                 CASE WHEN e.pause_id IS NULL AND p.paused_until > now() THEN NULL WHEN coalesce(e.reason, 'expired') = 'expired' THEN 'expired' WHEN e.reason = 'moved' THEN 'replaced' ELSE 'cleared' END,
                 e.reason
            FROM kpi_pause p LEFT JOIN kpi_pause_end e USING (pause_id)
          UNION ALL
          SELECT 0, t.binding_id, 'tweak', concat_ws(' ', NULLIF(t.schedule_cron, ''), t.timezone), v.reason, v.effective_from, v.changed_by, NULL, NULL, NULL, NULL, NULL
            FROM kpi_job_binding t CROSS JOIN LATERAL (
              SELECT v.reason, v.effective_from, v.changed_by FROM kpi_binding_revision v
               WHERE v.binding_id = t.binding_id AND NOT EXISTS (SELECT FROM kpi_binding_revision w WHERE w.binding_id = v.binding_id AND w.revision = v.revision - 1
                     AND (w.schedule_cron, w.timezone, w.def_id) = (v.schedule_cron, v.timezone, v.def_id))
               ORDER BY v.revision DESC LIMIT 1) v
           WHERE t.schedule_overridden
        )
        SELECT o.*, b.tenant_id, b.environment, b.job_id FROM o JOIN kpi_job_binding b USING (binding_id)

        """;

    private const string Page = All + """
         WHERE EXISTS (SELECT FROM unnest(@tenants::text[], @environments::text[]) AS g(tenant, environment)
                        WHERE g.tenant IN ('*', b.tenant_id) AND g.environment IN ('*', b.environment))
           AND (@tenant::text = '' OR b.tenant_id = @tenant) AND (@environment::text = '' OR b.environment = @environment)
           AND (@binding::bigint = 0 OR o.binding_id = @binding) AND (@kind::text = '' OR o.kind = @kind) AND (@ended OR o.ended_at IS NULL)
           AND (@before::timestamptz IS NULL OR (o.created_at, o.binding_id, o.kind) < (@before, @beforeBinding::bigint, @beforeKind::text))
         ORDER BY o.created_at DESC, o.binding_id DESC, o.kind DESC LIMIT @limit
        """;

    public static Task<IReadOnlyList<OverrideRow>> PageAsync(RequestTransaction tx, object parameters) => tx.QueryAsync<OverrideRow>(Page, parameters);

    private const string Open = All + """
         WHERE o.binding_id = ANY (@ids) AND o.ended_at IS NULL AND (@tenants::text[] IS NULL OR b.tenant_id = ANY (@tenants)) ORDER BY o.binding_id, o.kind
        """;

    /// <summary>What stands over bindings now.</summary>
    public static Task<IReadOnlyList<OverrideRow>> OpenAsync(RequestTransaction tx, long[] ids) => tx.QueryAsync<OverrideRow>(Open, new { ids, tenants = tx.Tenants });

    private const string Latest = All + """
         WHERE o.binding_id = @bindingId AND o.kind = @kind AND (@tenants::text[] IS NULL OR b.tenant_id = ANY (@tenants)) ORDER BY o.created_at DESC, o.override_id DESC LIMIT 1
        """;

    /// <summary>The one that was set last, standing or not.</summary>
    public static async Task<OverrideRow> LatestAsync(RequestTransaction tx, long bindingId, string kind) =>
        await tx.FindAsync<OverrideRow>(Latest, new { bindingId, kind, tenants = tx.Tenants }) ?? throw new InvalidOperationException("An override that was set is gone.");

    private sealed record CopyRow
    {
        public long BindingId { get; init; }
        public string? OverridesJson { get; init; }
    }
}
