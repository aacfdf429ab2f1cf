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
