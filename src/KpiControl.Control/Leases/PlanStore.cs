using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Leases;

/// <summary>Reads what a revision puts in force.</summary>
internal sealed class PlanStore(Databases databases)
{
    private const string LoadSql =
        """
        SELECT r.binding_id, r.revision, b.tenant_id, b.environment, b.region, d.content_hash, d.schema_version, d.canonical_json,
               r.contract_digest, r.schedule_cron, r.timezone, r.zone_version, r.call_json,
               coalesce((SELECT lane FROM kpi_lane l WHERE l.region = b.region AND l.priority = 6), abs(rt.lane)) AS catchup_lane
          FROM unnest(@ids, @revisions) AS x(binding_id, revision)
          JOIN kpi_binding_revision r USING (binding_id, revision)
          JOIN kpi_job_binding b USING (binding_id)
          JOIN kpi_job_runtime rt USING (binding_id)
          JOIN kpi_job_def d ON d.def_id = r.def_id
        """;

    public async Task<IReadOnlyList<PlanRow>> LoadAsync(IReadOnlyCollection<PlanKey> keys, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        var rows = await connection.QueryAsync<PlanRow>(new CommandDefinition(
            LoadSql, new { ids = keys.Select(k => k.BindingId).ToArray(), revisions = keys.Select(k => k.Revision).ToArray() }, cancellationToken: token));
        return rows.AsList();
    }

    private const string ContractSql =
        "SELECT canonical_json FROM kpi_contract WHERE tenant_id = @tenant AND kpi_id = @kpi AND version = @version AND digest = @digest";

    public async Task<string?> ContractAsync(BindingPlan plan, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return await connection.QuerySingleOrDefaultAsync<string>(new CommandDefinition(
            ContractSql, new { tenant = plan.Tenant, kpi = plan.Job.KpiId, version = plan.Job.ContractVersion, digest = plan.ContractDigest }, cancellationToken: token));
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
    public string CanonicalJson { get; init; } = "";
    public string ContractDigest { get; init; } = "";
    public string ScheduleCron { get; init; } = "";
    public string Timezone { get; init; } = "";
    public string ZoneVersion { get; init; } = "";
    public string CallJson { get; init; } = "";
    public short CatchupLane { get; init; }
}
