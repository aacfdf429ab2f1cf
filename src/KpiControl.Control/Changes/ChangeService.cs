using System.Globalization;
using Grpc.Core;
using KpiControl.Control.Changes.Plans;
using KpiControl.Control.Database;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Control.Signals;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Changes;

internal sealed class ChangeService(Databases databases, Mutations mutations, DependencyWaits waits) : Protocol.V1.ChangeService.ChangeServiceBase
{
    public override async Task<Plan> PlanJobs(PlanJobsRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await JobsPlan.AnswerAsync(tx, request);
    }

    public override async Task<ApplyPlanResponse> ApplyPlan(ApplyPlanRequest request, ServerCallContext context)
    {
        var applied = await mutations.RunAsync(request, context.Caller(), tx => PlanApplication.ApplyAsync(tx, request), context.CancellationToken);
        // As after any rebind: what waits under the new definition waits for what that names, and may have it already.
        if (!request.ValidateOnly)
            await waits.BeginAsync([.. applied.Jobs.Where(job => job.Outcome == "rebound").Select(job => job.BindingId)], context.CancellationToken);
        return applied;
    }

    public override Task<Change> ProposeChange(ProposeChangeRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Proposals.ProposeAsync(tx, request), context.CancellationToken);

    public override Task<Change> PromoteJob(PromoteJobRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Promotions.PromoteAsync(tx, request), context.CancellationToken);

    public override Task<Change> RollBackJob(RollBackJobRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Promotions.RollBackAsync(tx, request), context.CancellationToken);

    public override async Task<Change> GetChange(GetChangeRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var change = await ChangeLookup.FindAsync(tx, request.ChangeId, Verb.Read);
        return await ChangeLookup.AnswerAsync(tx, change.ChangeId, withContent: true);
    }

    public override async Task<ListChangesResponse> ListChanges(ListChangesRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var paging = Paging.Of(request);
        var scope = ReadScope.Of(tx.Caller, Verb.List);
        var rows = await ChangeStore.PageAsync(tx, new
        {
            tenants = scope.Tenants, environments = scope.Environments, state = StateOf(request.State), jobId = request.JobId,
            tenant = request.Tenant.Length > 0 ? RequestFields.Tenant(tx.Caller, request.Tenant, Verb.List) : "",
            environment = request.Environment.Length > 0 ? RequestFields.Environment(request.Environment) : "",
            before = paging.AfterNumber(), limit = paging.Size + 1,
        });
        var shown = rows.Take(paging.Size).ToList();
        var decisions = await ChangeStore.DecisionsAsync(tx, [.. shown.Select(row => row.ChangeId)]);
        var response = new ListChangesResponse { Changes = { shown.Select(row => row.ToProto([.. decisions[row.ChangeId]], withContent: false)) } };
        if (rows.Count > paging.Size)
            response.NextPageToken = Paging.Token(request, shown[^1].ChangeId.ToString(CultureInfo.InvariantCulture));
        return response;
    }

    public override Task<Change> ApproveChange(DecideChangeRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => request.BreakGlass ? BreakGlass.ApproveAsync(tx, request) : Decisions.ApproveAsync(tx, request), context.CancellationToken);

    public override Task<Change> RejectChange(DecideChangeRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Decisions.RejectAsync(tx, request), context.CancellationToken);

    public override Task<Change> WithdrawChange(WithdrawChangeRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Decisions.WithdrawAsync(tx, request), context.CancellationToken);

    public override async Task<Change> ApplyChange(ApplyChangeRequest request, ServerCallContext context)
    {
        var change = await mutations.RunAsync(request, context.Caller(), tx => Releases.ApplyAsync(tx, request), context.CancellationToken);
        // As after any rebind: what waits under the new definition waits for what that names, and may have it already.
        if (!request.ValidateOnly)
            await waits.BeginAsync([change.BindingId], context.CancellationToken);
        return change;
    }

    public override async Task<ListReviewsResponse> ListReviews(ListReviewsRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var paging = Paging.Of(request);
        var scope = ReadScope.Of(tx.Caller, Verb.List);
        var rows = await BreakGlassStore.ReviewsAsync(tx, new
        {
            tenants = scope.Tenants, environments = scope.Environments, state = StateOf(request.State),
            tenant = request.Tenant.Length > 0 ? RequestFields.Tenant(tx.Caller, request.Tenant, Verb.List) : "",
            environment = request.Environment.Length > 0 ? RequestFields.Environment(request.Environment) : "",
            before = paging.AfterNumber(), limit = paging.Size + 1,
        });
        var response = new ListReviewsResponse { Reviews = { rows.Take(paging.Size).Select(row => row.ToProto()) } };
        if (rows.Count > paging.Size)
            response.NextPageToken = Paging.Token(request, rows[paging.Size - 1].ChangeId.ToString(CultureInfo.InvariantCulture));
        return response;
    }

    public override Task<ChangeReview> CloseReview(CloseReviewRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => BreakGlass.CloseReviewAsync(tx, request), context.CancellationToken);

    private static string StateOf(string state) => state switch
    {
        "" => "open",
        "open" or "closed" or "all" => state,
        _ => throw Reject.Invalid("state", "is none of open, closed and all"),
    };
}
