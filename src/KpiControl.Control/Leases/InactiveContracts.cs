using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Leases;

/// <summary>
/// Contracts of scheduled jobs that are neither active nor deprecated: slots that come due under one are skipped. Few or none, so
/// they are kept in memory and no grant asks for them; a status that moves is told (channel <c>kpi</c>, <c>contracts</c>).
/// </summary>
internal sealed class InactiveContracts(ContractStatusStore store, TimeProvider time) : IDisposable
{
    private readonly Remembered<IReadOnlySet<ContractKey>> _known = new(async token => (await store.InactiveAsync(token)).ToHashSet(), time);

    /// <summary>They may be others now.</summary>
    public void Look() => _known.Look();

    public ValueTask<IReadOnlySet<ContractKey>> NowAsync(CancellationToken token) => _known.NowAsync(token);

    public void Dispose() => _known.Dispose();
}

internal readonly record struct ContractKey(string TenantId, string KpiId, string Version)
{
    public static ContractKey Of(BindingPlan plan) => new(plan.Tenant, plan.Job.KpiId, plan.Job.ContractVersion);
}

/// <summary>Reads which contracts let no slot run.</summary>
internal sealed class ContractStatusStore(Databases databases)
{
    private const string InactiveSql =
        """
        SELECT k.tenant_id, k.kpi_id, k.version FROM kpi_contract k
         WHERE k.status NOT IN ('active', 'deprecated') AND EXISTS (
           SELECT FROM kpi_job_binding b WHERE b.tenant_id = k.tenant_id AND b.kpi_id = k.kpi_id AND b.contract_version = k.version AND b.active_flag)
        """;

    public async Task<IEnumerable<ContractKey>> InactiveAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<(string Tenant, string Kpi, string Version)>(new CommandDefinition(InactiveSql, cancellationToken: token))).Select(row => new ContractKey(row.Tenant, row.Kpi, row.Version));
    }
}
