using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Leases;

/// <summary>The share of a lane that a tenant takes in its turn, where more is due than there is credit for.</summary>
internal sealed class TenantWeights(TenantWeightStore store, TimeProvider time) : IDisposable
{
    private readonly Remembered<IReadOnlyDictionary<string, int>> _known = new(store.OtherThanOneAsync, time);

    /// <summary>Those that are not 1. A change counts within half a minute.</summary>
    public ValueTask<IReadOnlyDictionary<string, int>> NowAsync(CancellationToken token) => _known.NowAsync(token);

    public void Dispose() => _known.Dispose();
}

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
