using Grpc.Core;
using KpiControl.Control.Database;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Restatements;

internal sealed class RestatementService(Databases databases, Mutations mutations) : Protocol.V1.RestatementService.RestatementServiceBase
{
    public override async Task<ListRestatementsResponse> ListRestatements(ListRestatementsRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await RestatementReads.ListAsync(tx, request);
    }

    public override async Task<Restatement> GetRestatement(GetRestatementRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await RestatementReads.GetAsync(tx, request.RestatementId);
    }

    public override Task<Restatement> AcceptRestatement(AcceptRestatementRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Restatements.AcceptAsync(tx, request), context.CancellationToken);

    public override Task<Restatement> DeclineRestatement(DeclineRestatementRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Restatements.DeclineAsync(tx, request), context.CancellationToken);

    public override Task<Restatement> ApproveRestatement(DecideRestatementRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => RestatementDecisions.ApproveAsync(tx, request), context.CancellationToken);

    public override Task<Restatement> RejectRestatement(DecideRestatementRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => RestatementDecisions.RejectAsync(tx, request), context.CancellationToken);
}
