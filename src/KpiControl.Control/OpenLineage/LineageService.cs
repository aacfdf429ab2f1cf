using Grpc.Core;
using KpiControl.Control.Database;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.OpenLineage;

internal sealed class LineageService(Mutations mutations, Databases databases) : Protocol.V1.LineageService.LineageServiceBase
{
    public override async Task<ListDeadEventsResponse> ListDeadEvents(ListDeadEventsRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await DeadEvents.ListAsync(tx, request);
    }

    public override Task<ResendEventsResponse> ResendEvents(ResendEventsRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => DeadEvents.ResendAsync(tx, request), context.CancellationToken);
}
