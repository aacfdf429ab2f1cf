using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Leases;

/// <summary>Reads what tenants weigh.</summary>
internal sealed class TenantWeightStore(Databases databases)
{
    private const string WeightsSql = "SELECT tenant_id, weight FROM kpi_tenant WHERE weight <> 1";

    public async Task<IReadOnlyDictionary<string, int>> OtherThanOneAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<(string Tenant, int Weight)>(new CommandDefinition(WeightsSql, cancellationToken: token))).ToDictionary(row => row.Tenant, row => row.Weight, StringComparer.Ordinal);
    }
}
