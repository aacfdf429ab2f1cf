using Grpc.Core;
using KpiControl.Control.Database;
using KpiControl.Control.Overrides;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Control.Signals;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Drift;

internal sealed class DriftService(Databases databases, Mutations mutations, DependencyWaits waits) : Protocol.V1.DriftService.DriftServiceBase
{
    public override async Task<ListStoresResponse> ListStores(ListStoresRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await DriftReads.ListStoresAsync(tx, request);
    }

    public override Task<ArtifactStore> SyncStore(SyncStoreRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => StoreSyncs.AskAsync(tx, request), context.CancellationToken);

    public override async Task<ListDriftResponse> ListDrift(ListDriftRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await DriftReads.ListAsync(tx, request);
    }

    public override async Task<JobDrift> GetDrift(GetDriftRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await DriftReads.GetAsync(tx, request);
    }

    public override async Task<ReconcileJobResponse> ReconcileJob(ReconcileJobRequest request, ServerCallContext context)
    {
        var response = await mutations.RunAsync(request, context.Caller(), tx => Reconciles.ReconcileAsync(tx, request), context.CancellationToken);
        // As after any rebind: what waits under the new definition waits for what that names, and may have it already.
        if (response.Outcome == "rebound" && !request.ValidateOnly)
            await waits.BeginAsync([response.BindingId], context.CancellationToken);
        return response;
    }

    public override Task<Override> SetOverride(SetOverrideRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Overrides.Overrides.SetAsync(tx, request), context.CancellationToken);

    public override Task<Override> ClearOverride(ClearOverrideRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Overrides.Overrides.ClearAsync(tx, request), context.CancellationToken);

    public override async Task<ListOverridesResponse> ListOverrides(ListOverridesRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await OverrideReads.ListAsync(tx, request);
    }
}
