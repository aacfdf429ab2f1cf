using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Leases;

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
