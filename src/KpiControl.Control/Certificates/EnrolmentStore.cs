using KpiControl.Control.Requests;

namespace KpiControl.Control.Certificates;

/// <summary>Enrolment tokens and registrations, as operators see them.</summary>
internal static class EnrolmentStore
{
    private const string MisplacedSql = """
        SELECT t.id FROM unnest(@tenants::text[]) WITH ORDINALITY t(id, n)
         WHERE NOT EXISTS (SELECT FROM kpi_tenant_region r WHERE r.tenant_id = t.id AND r.region = @region) ORDER BY t.n LIMIT 1
        """;

    /// <summary>The first of the tenants that is unknown, or not allowed in the region; null where there is none.</summary>
    public static Task<string?> MisplacedAsync(RequestTransaction tx, string region, string[] tenants) => tx.FindAsync<string>(MisplacedSql, new { region, tenants });

    private const string Columns = """
        enrolment_id, agent, region, tenants, reason, created_at, created_by, expires_at, used_at, used_by,
          CASE WHEN used_at IS NOT NULL THEN 'used' WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' ELSE 'open' END AS state
        """;

    private const string CreateSql = $"""
        INSERT INTO kpi_enrolment (token_hash, agent, region, tenants, reason, created_by, expires_at)
        VALUES (@hash, @agent, @region, @tenants, @reason, @by, now() + @validFor::interval) RETURNING {Columns}
        """;

    public static async Task<EnrolmentRow> CreateAsync(RequestTransaction tx, byte[] hash, string agent, string region, string[] tenants, string reason, TimeSpan validFor) =>
        (await tx.FindAsync<EnrolmentRow>(CreateSql, new { hash, agent, region, tenants, reason, by = tx.Caller.Principal, validFor }))!;

    private const string ListSql = $"""
        SELECT {Columns} FROM kpi_enrolment
         WHERE (@ended OR (used_at IS NULL AND revoked_at IS NULL AND expires_at > now())) AND (@after::bigint IS NULL OR enrolment_id < @after)
         ORDER BY enrolment_id DESC LIMIT @limit
        """;

    public static Task<IReadOnlyList<EnrolmentRow>> ListAsync(RequestTransaction tx, bool ended, long? after, int limit) =>
        tx.QueryAsync<EnrolmentRow>(ListSql, new { ended, after, limit });

    private const string FindSql = $"SELECT {Columns} FROM kpi_enrolment WHERE enrolment_id = @id";

    public static Task<EnrolmentRow?> FindAsync(RequestTransaction tx, long id) => tx.FindAsync<EnrolmentRow>(FindSql, new { id });

    private const string RevokeSql = """
        UPDATE kpi_enrolment SET revoked_at = now() WHERE enrolment_id = @id AND used_at IS NULL AND revoked_at IS NULL
        """;

    /// <returns>False: it was used or revoked before, or there is no such token.</returns>
    public static async Task<bool> RevokeAsync(RequestTransaction tx, long id) => await tx.ExecuteAsync(RevokeSql, new { id }) == 1;

    private const string RegistrationSql = """
        SELECT agent, coalesce(region, '') AS region, coalesce(tenants, '{}') AS tenants, revoked_at, revoke_reason, certificate_expires_at FROM kpi_agent_identity WHERE agent = @agent
        """;

    public static Task<RegistrationRow?> RegistrationAsync(RequestTransaction tx, string agent) => tx.FindAsync<RegistrationRow>(RegistrationSql, new { agent });

    private const string HoldSql = """
        INSERT INTO kpi_agent (agent) VALUES (@agent) ON CONFLICT (agent) DO UPDATE SET agent = excluded.agent
        """;

    /// <summary>The agent is known, and nobody else registers it until this transaction ends: what is read of it now is what it was before.</summary>
    public static Task HoldAsync(RequestTransaction tx, string agent) => tx.ExecuteAsync(HoldSql, new { agent });

    // After a revocation, certificates of before it stay out: those that begin in this second too.
    private const string RegisterSql = """
        INSERT INTO kpi_agent_identity AS i (agent, region, tenants) VALUES (@agent, @region, @tenants)
        ON CONFLICT (agent) DO UPDATE SET region = excluded.region, tenants = excluded.tenants, revoked_at = NULL, revoked_by = NULL, revoke_reason = NULL,
          certificates_since = CASE WHEN i.revoked_at IS NULL THEN i.certificates_since
            ELSE greatest(date_trunc('second', now()), i.certificates_since) + interval '1 second' END
        """;

    public static Task RegisterAsync(RequestTransaction tx, string agent, string region, string[] tenants) => tx.ExecuteAsync(RegisterSql, new { agent, region, tenants });

    // Without its serial number the token that it was enrolled with is not answered again either.
    private const string RevokeAgentSql = """
        INSERT INTO kpi_agent_identity AS i (agent, revoked_at, revoked_by, revoke_reason)
        SELECT agent, now(), @by, @reason FROM kpi_agent WHERE agent = @agent
        ON CONFLICT (agent) DO UPDATE SET revoked_at = excluded.revoked_at, revoked_by = excluded.revoked_by, revoke_reason = excluded.revoke_reason,
          certificate_serial = NULL WHERE i.revoked_at IS NULL
        """;

    private const string NotifySql = """
        SELECT pg_notify('kpi', 'revoked')
        """;

    /// <returns>False: it was revoked before, or there is no such agent.</returns>
    public static async Task<bool> RevokeAgentAsync(RequestTransaction tx, string agent, string reason)
    {
        var isNew = await tx.ExecuteAsync(RevokeAgentSql, new { agent, reason, by = tx.Caller.Principal }) == 1;
        await tx.ExecuteAsync(NotifySql);
        return isNew;
    }
}

internal sealed record EnrolmentRow
{
    public long EnrolmentId { get; init; }
    public string Agent { get; init; } = "";
    public string Region { get; init; } = "";
    public string[] Tenants { get; init; } = [];
    public string Reason { get; init; } = "";
    public DateTimeOffset CreatedAt { get; init; }
    public string CreatedBy { get; init; } = "";
    public DateTimeOffset ExpiresAt { get; init; }
    public DateTimeOffset? UsedAt { get; init; }
    public string? UsedBy { get; init; }
    public string State { get; init; } = "";
}

internal sealed record RegistrationRow
{
    public string Agent { get; init; } = "";
    public string Region { get; init; } = "";
    public string[] Tenants { get; init; } = [];
    public DateTimeOffset? RevokedAt { get; init; }
    public string? RevokeReason { get; init; }
    public DateTimeOffset? CertificateExpiresAt { get; init; }
}
