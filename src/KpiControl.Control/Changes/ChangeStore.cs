using KpiControl.Control.Requests;

namespace KpiControl.Control.Changes;

/// <summary>Changes and the decisions on them. A change that was proposed is only ever closed, once.</summary>
internal static class ChangeStore
{
    // Of the tables that a KPI reads and of the raw ones that these are built from; which version counts is no matter of SQL.
    private const string Usable = """
        jsonb_agg(jsonb_build_object('contract_type', k.contract_type, 'dataset', k.kpi_id, 'version', k.version, 'digest', k.digest, 'status', k.status, 'dependencies', k.canonical_json::jsonb #> '{header,dependencies}'))::text
          FROM kpi_contract k
         WHERE k.tenant_id = x.tenant AND k.contract_type IN ('gdp', 'raw') AND k.status IN ('active', 'deprecated')
           AND (k.kpi_id = ANY (x.tables) OR k.kpi_id IN (SELECT jsonb_array_elements_text(g.canonical_json::jsonb #> '{header,dependencies}') FROM kpi_contract g
                 WHERE g.tenant_id = x.tenant AND g.contract_type = 'gdp' AND g.kpi_id = ANY (x.tables) AND g.status IN ('active', 'deprecated')))
        """;

    private const string UsableNow = $"SELECT (SELECT {Usable}) FROM (SELECT @tenant::text AS tenant, @tables::text[] AS tables) x";

    public static Task<string?> UsableAsync(RequestTransaction tx, string tenant, string[] tables) => tx.FindAsync<string>(UsableNow, new { tenant, tables });

    private const string Columns = $"""
        SELECT c.change_id, c.tenant_id, c.environment, c.region, c.job_id, c.binding_id, c.kind, c.def_id, c.content_hash, c.format, c.content,
               d.canonical_json, c.base_def_id, p.content_hash AS base_content_hash, p.canonical_json AS base_canonical_json, c.base_revision,
               c.contract_digest, c.policy_version, c.digest, c.required::text AS required, c.author, c.reason, c.source, c.proposed_at, c.expires_at, c.state,
               c.closed_at, c.closed_by, c.applied_revision, c.expires_at <= clock_timestamp() AS expired, b.revision AS revision_now, b.pruned_at IS NOT NULL AS is_pruned,
               COALESCE(t.version, 0) AS policy_version_now, t.document ->> 'release_windows' AS release_windows, t.document ->> 'freezes' AS freezes, clock_timestamp() AS now,
               c.calendar, c.calendar_version, (SELECT max(version) FROM kpi_calendar k WHERE k.tenant_id = c.tenant_id AND k.name = c.calendar) AS calendar_version_now,
               c.tables, c.table_contracts::text AS table_contracts,
               CASE WHEN c.tables IS NOT NULL THEN (SELECT u.usable FROM (SELECT c.tenant_id AS tenant, c.tables AS tables) x CROSS JOIN LATERAL (SELECT {Usable}) u(usable)) END AS usable_tables,
               (SELECT k.digest FROM kpi_contract k WHERE k.tenant_id = c.tenant_id AND k.kpi_id = d.canonical_json::jsonb ->> 'kpi_id' AND k.version = d.canonical_json::jsonb ->> 'contract_version') AS contract_digest_now
          FROM kpi_change c JOIN kpi_job_def d ON d.def_id = c.def_id JOIN kpi_job_binding b ON b.binding_id = c.binding_id
          LEFT JOIN kpi_job_def p ON p.def_id = c.base_def_id
          LEFT JOIN LATERAL (SELECT version, document FROM kpi_tenant_policy
            WHERE tenant_id = c.tenant_id AND environment = c.environment ORDER BY version DESC LIMIT 1) t ON true

        """;

    private const string Find = Columns + """
         WHERE c.change_id = @id AND (@tenants::text[] IS NULL OR c.tenant_id = ANY (@tenants))
        """;

    public static Task<ChangeRow?> FindAsync(RequestTransaction tx, long id) => tx.FindAsync<ChangeRow>(Find, new { id, tenants = tx.Tenants });

    private const string FindOpen = Columns + """
         WHERE c.binding_id = @bindingId AND c.state = 'open'
        """;

    public static Task<ChangeRow?> FindOpenAsync(RequestTransaction tx, long bindingId) => tx.FindAsync<ChangeRow>(FindOpen, new { bindingId });

    private const string Page = Columns + """
         WHERE EXISTS (SELECT FROM unnest(@tenants::text[], @environments::text[]) AS g(tenant, environment)
                        WHERE g.tenant IN ('*', c.tenant_id) AND g.environment IN ('*', c.environment))
           AND (@tenant = '' OR c.tenant_id = @tenant) AND (@environment = '' OR c.environment = @environment) AND (@jobId = '' OR c.job_id = @jobId)
           AND (@state = 'all' OR (c.state = 'open') = (@state = 'open')) AND (@before::bigint IS NULL OR c.change_id < @before)
         ORDER BY c.change_id DESC LIMIT @limit
        """;

    public static Task<IReadOnlyList<ChangeRow>> PageAsync(RequestTransaction tx, object query) => tx.QueryAsync<ChangeRow>(Page, query);

    // What never ran is nothing to go back to: a first binding that waited, a job that was retired.
    private const string Earlier = """
        SELECT r.revision, d.format, d.content, d.content_hash
          FROM kpi_binding_revision r JOIN kpi_job_def d USING (def_id) JOIN kpi_job_binding b USING (binding_id)
         WHERE r.binding_id = @bindingId AND r.active AND r.def_id <> b.def_id AND (@revision = 0 OR r.revision = @revision)
         ORDER BY r.revision DESC LIMIT 1
        """;

    /// <summary>A definition that was in force before the one that is; null where there is none, or none at that revision.</summary>
    public static Task<EarlierDefinition?> EarlierAsync(RequestTransaction tx, long bindingId, int revision) =>
        tx.FindAsync<EarlierDefinition>(Earlier, new { bindingId, revision });

    private const string Insert = """
        INSERT INTO kpi_change (tenant_id, environment, region, job_id, binding_id, kind, def_id, content_hash, format, content, base_def_id,
               base_revision, contract_digest, policy_version, digest, required, author, reason, source, expires_at, calendar, calendar_version, tables, table_contracts)
        VALUES (@TenantId, @Environment, @Region, @JobId, @BindingId, @Kind, @DefId, @ContentHash, @Format, @Content, @BaseDefId,
               @BaseRevision, @ContractDigest, @PolicyVersion, @Digest, @Required::jsonb, @Author, @Reason, @Source, now() + @Life, @Calendar, @CalendarVersion, @Tables, @TableContracts::jsonb)
        RETURNING change_id
        """;

    public static Task<long> InsertAsync(RequestTransaction tx, NewChange change) => tx.FindAsync<long>(Insert, change);

    private const string Close = """
        UPDATE kpi_change SET state = @state, closed_at = now(), closed_by = @by, applied_revision = @appliedRevision
         WHERE change_id = @id AND state = 'open' AND (@state <> 'applied' OR expires_at > clock_timestamp())
        """;

    /// <returns>False where it is closed already, or has expired and can no longer be applied.</returns>
    public static async Task<bool> CloseAsync(RequestTransaction tx, long id, string state, int? appliedRevision = null) =>
        await tx.ExecuteAsync(Close, new { id, state, by = tx.Caller.Principal, appliedRevision }) == 1;

    private const string Decide = """
        INSERT INTO kpi_change_decision (change_id, principal, tenant_id, capacity, decision, digest, comment)
        SELECT change_id, @by, tenant_id, @capacity, @decision, digest, @comment FROM kpi_change
         WHERE change_id = @id AND state = 'open' AND expires_at > clock_timestamp() AND author <> @by
        ON CONFLICT (change_id, principal) DO NOTHING
        """;

    /// <returns>False where the change takes no decision of this person.</returns>
    public static async Task<bool> DecideAsync(RequestTransaction tx, long id, string capacity, string decision, string comment) =>
        await tx.ExecuteAsync(Decide, new { id, by = tx.Caller.Principal, capacity, decision, comment }) == 1;

    private const string Decisions = """
        SELECT change_id, principal, capacity, decision, digest, comment, decided_at FROM kpi_change_decision
         WHERE change_id = ANY (@ids) ORDER BY decided_at, principal
        """;

    public static async Task<ILookup<long, DecisionRow>> DecisionsAsync(RequestTransaction tx, params long[] ids) =>
        (await tx.QueryAsync<DecisionRow>(Decisions, new { ids })).ToLookup(row => row.ChangeId);
}

internal sealed record EarlierDefinition
{
    public int Revision { get; init; }
    public required string Format { get; init; }
    public required string Content { get; init; }
    public required string ContentHash { get; init; }
}

/// <summary>A change to be stored.</summary>
internal sealed record NewChange
{
    public required string TenantId { get; init; }
    public required string Environment { get; init; }
    public required string Region { get; init; }
    public required string JobId { get; init; }
    public required long BindingId { get; init; }
    public required string Kind { get; init; }
    public required long DefId { get; init; }
    public required string ContentHash { get; init; }
    public required string Format { get; init; }
    public required string Content { get; init; }
    public long? BaseDefId { get; init; }
    public required int BaseRevision { get; init; }
    public required string ContractDigest { get; init; }
    public required int PolicyVersion { get; init; }
    public string? Calendar { get; init; }
    public int? CalendarVersion { get; init; }
    /// <summary>Null: the job loads and builds no tables, or is taken away.</summary>
    public string[]? Tables { get; init; }
    /// <summary>JSON, by their names.</summary>
    public string? TableContracts { get; init; }
    public required string Digest { get; init; }
    public required string Required { get; init; }
    public required string Author { get; init; }
    public required string Reason { get; init; }
    public string? Source { get; init; }
    public required TimeSpan Life { get; init; }
}
