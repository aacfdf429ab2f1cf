using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Leases;

/// <summary>
/// Contracts of scheduled jobs that are neither active nor deprecated: slots that come due under one are skipped. Few or none, so
/// they are kept in memory and no grant asks for them; a status that moves is told (channel <c>kpi</c>, <c>contracts</c>).
/// </summary>
internal sealed class InactiveContracts(ContractStatusStore store, TimeProvider time) : IDisposable
{
    // A message may be missed.
    private static readonly TimeSpan Oldest = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim _reading = new(1);
    private volatile IReadOnlySet<ContractKey> _known = new HashSet<ContractKey>();
    private long _readAt;
    private int _stale = 1;

    /// <summary>They may be others now.</summary>
    public void Look() => Volatile.Write(ref _stale, 1);

    public ValueTask<IReadOnlySet<ContractKey>> NowAsync(CancellationToken token) =>
        Volatile.Read(ref _stale) == 0 && time.GetElapsedTime(Volatile.Read(ref _readAt)) < Oldest ? ValueTask.FromResult(_known) : new(ReadAsync(token));

    public void Dispose() => _reading.Dispose();

    private async Task<IReadOnlySet<ContractKey>> ReadAsync(CancellationToken token)
    {
        await _reading.WaitAsync(token);
        try
        {
            // Before the look: what is told meanwhile is looked at again.
            Volatile.Write(ref _stale, 0);
            var at = time.GetTimestamp();
            _known = (await store.InactiveAsync(token)).ToHashSet();
            Volatile.Write(ref _readAt, at);
            return _known;
        }
        catch
        {
            Look();
            throw;
        }
        finally
        {
            _reading.Release();
        }
    }
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
