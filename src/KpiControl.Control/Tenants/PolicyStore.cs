using System.Globalization;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;

namespace KpiControl.Control.Tenants;

/// <summary>A version of a policy, the defaults filled in.</summary>
internal sealed record PolicyRow
{
    public string TenantId { get; init; } = "";
    public string Environment { get; init; } = "";
    /// <summary>0: the defaults.</summary>
    public int Version { get; init; }
    public bool RequiresApproval { get; init; }
    public bool RequiresOwners { get; init; }
    public bool RequiresSla { get; init; }
    public bool RequiresAlerts { get; init; }
    /// <summary>JSON; null: none.</summary>
    public string? ReleaseWindows { get; init; }
    /// <summary>JSON; null: none.</summary>
    public string? Freezes { get; init; }
    /// <summary>How long an approval that breaks the glass counts; 0: none is allowed.</summary>
    public int BreakGlassSeconds { get; init; }
    /// <summary>Null: the default's.</summary>
    public int? BreakGlassSaid { get; init; }
    public DateTimeOffset? EffectiveFrom { get; init; }

    public string Etag => string.Create(CultureInfo.InvariantCulture, $"p{Version}");

    public PolicyDocument Document => new()
    {
        RequiresApproval = RequiresApproval, RequiresOwners = RequiresOwners, RequiresSla = RequiresSla, RequiresAlerts = RequiresAlerts,
        ReleaseWindows = ReleaseWindows is null ? null : ReleaseHours.ReadWindows(ReleaseWindows), Freezes = Freezes is null ? null : ReleaseHours.ReadFreezes(Freezes), BreakGlassSeconds = BreakGlassSaid,
    };
}

/// <summary>When releases are allowed, as stored, and what time it is.</summary>
internal sealed record HoursRow
{
    public DateTimeOffset Now { get; init; }
    public string? ReleaseWindows { get; init; }
    public string? Freezes { get; init; }

    public ReleaseHold? Hold => ReleaseHours.Of(ReleaseWindows, Freezes).HoldAt(Now);
}

internal static class PolicyStore
{
    /// <summary>What a document leaves out: <c>prod</c> asks for approval; all but <c>dev</c> for owners, an SLA and an alert route; the glass is broken for four hours.</summary>
    public const string Filled = """
        COALESCE((p.document ->> 'requires_approval')::boolean, e.environment = 'prod') AS requires_approval,
               COALESCE((p.document ->> 'requires_owners')::boolean, e.environment <> 'dev') AS requires_owners,
               COALESCE((p.document ->> 'requires_sla')::boolean, e.environment <> 'dev') AS requires_sla,
               COALESCE((p.document ->> 'requires_alerts')::boolean, e.environment <> 'dev') AS requires_alerts,
               p.document ->> 'release_windows' AS release_windows, p.document ->> 'freezes' AS freezes,
               (p.document ->> 'break_glass_seconds')::int AS break_glass_said, COALESCE((p.document ->> 'break_glass_seconds')::int, 4 * 3600) AS break_glass_seconds
        """;

    private const string FindSql = $"""
        SELECT t.tenant_id, e.environment, COALESCE(p.version, 0) AS version, p.effective_from, {Filled}
          FROM kpi_tenant t CROSS JOIN (SELECT @environment::text AS environment) e LEFT JOIN LATERAL (
            SELECT version, document, effective_from FROM kpi_tenant_policy
             WHERE tenant_id = t.tenant_id AND environment = e.environment AND (@version = 0 OR version = @version) ORDER BY version DESC LIMIT 1) p ON true
         WHERE t.tenant_id = @tenant AND (@version = 0 OR p.version IS NOT NULL)
        """;

    /// <param name="version">0: the one in force.</param>
    /// <returns>Null: there is no such tenant, or version.</returns>
    public static Task<PolicyRow?> FindAsync(RequestTransaction tx, string tenant, string environment, int version) =>
        tx.FindAsync<PolicyRow>(FindSql, new { tenant, environment, version });

    private const string ListSql = $"""
        SELECT e.tenant_id, e.environment, e.version, e.effective_from, {Filled}
          FROM kpi_tenant_policy e JOIN kpi_tenant_policy p USING (tenant_id, environment, version)
         WHERE e.tenant_id = @tenant AND (@environment = '' OR e.environment = @environment)
           AND EXISTS (SELECT FROM unnest(@tenants::text[], @environments::text[]) AS g(tenant, environment) WHERE g.tenant IN ('*', e.tenant_id) AND g.environment IN ('*', e.environment))
           AND (@afterEnvironment::text IS NULL OR e.environment > @afterEnvironment OR e.environment = @afterEnvironment AND e.version < @afterVersion::int)
         ORDER BY e.environment, e.version DESC LIMIT @limit
        """;

    /// <summary>By environment, the newest first.</summary>
    public static Task<IReadOnlyList<PolicyRow>> ListAsync(RequestTransaction tx, ReadScope scope, string tenant, string environment, string? afterEnvironment, int? afterVersion, int limit) =>
        tx.QueryAsync<PolicyRow>(ListSql, new { tenants = scope.Tenants, environments = scope.Environments, tenant, environment, afterEnvironment, afterVersion, limit });

    // The clock of this moment, not of the transaction's begin: whoever waited for a binding may have waited into a freeze.
    private const string HoursSql = """
        SELECT clock_timestamp() AS now, p.document ->> 'release_windows' AS release_windows, p.document ->> 'freezes' AS freezes
          FROM (SELECT) e LEFT JOIN LATERAL (
            SELECT document FROM kpi_tenant_policy WHERE tenant_id = @tenant AND environment = @environment ORDER BY version DESC LIMIT 1) p ON true
        """;

    /// <summary>When the policy in force allows releases, and the database's clock.</summary>
    public static async Task<HoursRow> HoursAsync(RequestTransaction tx, string tenant, string environment) =>
        await tx.FindAsync<HoursRow>(HoursSql, new { tenant, environment }) ?? throw new InvalidOperationException("A select without a source has one row.");

    private const string AddSql = """
        INSERT INTO kpi_tenant_policy (tenant_id, environment, version, document) VALUES (@tenant, @environment, @version, @document::jsonb)
        ON CONFLICT (tenant_id, environment, version) DO NOTHING
        """;

    /// <returns>False: somebody else has added this version.</returns>
    public static async Task<bool> AddAsync(RequestTransaction tx, string tenant, string environment, int version, string document) =>
        await tx.ExecuteAsync(AddSql, new { tenant, environment, version, document }) == 1;
}
