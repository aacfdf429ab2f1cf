using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Leases;

/// <summary>Reads what a revision puts in force.</summary>
internal sealed class PlanStore(Databases databases)
{
    private const string LoadSql =
        """
        SELECT r.binding_id, r.revision, b.tenant_id, b.environment, b.region, d.content_hash, d.schema_version,
               r.contract_digest, r.schedule_cron, r.timezone, r.zone_version, k.digest AS calendar_digest, r.overrides::text AS overrides_json,
               coalesce((SELECT lane FROM kpi_lane l WHERE l.region = b.region AND l.priority = 6), abs(rt.lane)) AS catchup_lane,
               a.change_id, a.digest AS change_digest, a.approvers
          FROM unnest(@ids, @revisions) AS x(binding_id, revision)
          JOIN kpi_binding_revision r USING (binding_id, revision)
          JOIN kpi_job_binding b USING (binding_id)
          JOIN kpi_job_runtime rt USING (binding_id)
          JOIN kpi_job_def d ON d.def_id = r.def_id
          LEFT JOIN kpi_calendar k ON k.tenant_id = r.tenant_id AND k.name = r.calendar AND k.version = r.calendar_version
          LEFT JOIN LATERAL (
            SELECT c.change_id, c.digest, (SELECT array_agg(y.capacity || ': ' || y.principal ORDER BY y.capacity, y.principal) FROM (
                     SELECT capacity, principal, digest FROM kpi_change_decision WHERE change_id = c.change_id AND decision = 'approve'
                     UNION
                     -- Those that counted when it was released by them.
                     SELECT 'break-glass', g.principal, g.digest FROM kpi_break_glass_approval g JOIN kpi_change_review v USING (change_id)
                      WHERE g.change_id = c.change_id AND g.expires_at > v.opened_at) y WHERE y.digest = c.digest) AS approvers
              FROM kpi_change c WHERE c.change_id = kpi_change_behind(r.binding_id, r.revision)) a ON true
        """;

    public async Task<IReadOnlyList<PlanRow>> LoadAsync(IReadOnlyCollection<PlanKey> keys, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        var rows = await connection.QueryAsync<PlanRow>(new CommandDefinition(
            LoadSql, new { ids = keys.Select(k => k.BindingId).ToArray(), revisions = keys.Select(k => k.Revision).ToArray() }, cancellationToken: token));
        return rows.AsList();
    }

    // Many bindings share few texts: these are read once a node and not once a plan.
    private const string TextsSql =
        """
        SELECT content_hash AS id, canonical_json AS text FROM kpi_job_def WHERE content_hash = ANY (@hashes)
        UNION ALL
        SELECT DISTINCT ON (digest) digest, canonical_json FROM kpi_contract WHERE digest = ANY (@digests) AND tenant_id = ANY (@tenants)
        UNION ALL
        SELECT DISTINCT ON (digest) digest, canonical_json FROM kpi_calendar WHERE digest = ANY (@calendars) AND tenant_id = ANY (@tenants)
        """;

    /// <summary>Canonical texts of definitions, contracts and calendars, by hash and digest.</summary>
    public async Task<IReadOnlyDictionary<string, string>> TextsAsync(string[] hashes, string[] digests, string[] calendars, string[] tenants, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        var rows = await connection.QueryAsync<(string Id, string Text)>(new CommandDefinition(TextsSql, new { hashes, digests, calendars, tenants }, cancellationToken: token));
        return rows.ToDictionary(row => row.Id, row => row.Text);
    }
}

internal readonly record struct PlanKey(long BindingId, int Revision);

internal sealed record PlanRow
{
    public long BindingId { get; init; }
    public int Revision { get; init; }
    public string TenantId { get; init; } = "";
    public string Environment { get; init; } = "";
    public string Region { get; init; } = "";
    public string ContentHash { get; init; } = "";
    public string SchemaVersion { get; init; } = "";
    public string ContractDigest { get; init; } = "";
    public string ScheduleCron { get; init; } = "";
    public string Timezone { get; init; } = "";
    public string ZoneVersion { get; init; } = "";
    /// <summary>Null: the schedule names no calendar.</summary>
    public string? CalendarDigest { get; init; }
    /// <summary>Null: nothing stood over the definition.</summary>
    public string? OverridesJson { get; init; }
    public short CatchupLane { get; init; }
    /// <summary>The change that put the definition in force; null where policy asked for none.</summary>
    public long? ChangeId { get; init; }
    public string? ChangeDigest { get; init; }
    public string[]? Approvers { get; init; }
}
