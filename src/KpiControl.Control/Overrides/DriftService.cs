using Grpc.Core;
using KpiControl.Control.Database;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Overrides;

internal sealed class DriftService(Databases databases, Mutations mutations) : Protocol.V1.DriftService.DriftServiceBase
{
    public override Task<Override> SetOverride(SetOverrideRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Overrides.SetAsync(tx, request), context.CancellationToken);

    public override Task<Override> ClearOverride(ClearOverrideRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Overrides.ClearAsync(tx, request), context.CancellationToken);

    public override async Task<ListOverridesResponse> ListOverrides(ListOverridesRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await OverrideReads.ListAsync(tx, request);
    }
}
