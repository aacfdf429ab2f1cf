using System.Globalization;
using Grpc.Core;
using KpiControl.Control.Certificates;
using KpiControl.Control.Database;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Fleet;

/// <summary>Agents and their sessions, as far as they serve the caller's tenants.</summary>
internal sealed class FleetService(Databases databases, Mutations mutations) : Protocol.V1.FleetService.FleetServiceBase
{
    public override async Task<ListAgentsResponse> ListAgents(ListAgentsRequest request, ServerCallContext context)
    {
        var paging = Paging.Of(request);
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var rows = await FleetStore.ListAsync(tx, request.Region, request.IncludeEnded, paging.AfterNumber(), paging.Size + 1);
        var response = new ListAgentsResponse();
        response.Agents.AddRange(rows.Take(paging.Size).Select(row => row.ToProto()));
        if (rows.Count > paging.Size)
            response.NextPageToken = Paging.Token(request, rows[paging.Size - 1].SessionId.ToString(CultureInfo.InvariantCulture));
        return response;
    }

    public override Task<Agent> DrainAgent(DrainAgentRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Drains.DrainAsync(tx, request), context.CancellationToken);

    public override Task<Agent> ResumeAgent(ResumeAgentRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Drains.ResumeAsync(tx, request), context.CancellationToken);

    public override async Task<Enrolment> CreateEnrolment(CreateEnrolmentRequest request, ServerCallContext context)
    {
        var token = EnrolmentToken.Create();
        var isMade = false;
        var enrolment = await mutations.RunAsync(request, context.Caller(), async tx =>
        {
            var made = await Enrolments.CreateAsync(tx, request, token);
            isMade = true;
            return made;
        }, context.CancellationToken);
        // After what is kept for a repeat was written: the token itself is stored nowhere.
        if (isMade && !request.ValidateOnly)
            enrolment.Token = token.Text;
        return enrolment;
    }

    public override async Task<ListEnrolmentsResponse> ListEnrolments(ListEnrolmentsRequest request, ServerCallContext context)
    {
        Enrolments.DemandOperator(context.Caller());
        var paging = Paging.Of(request);
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var rows = await EnrolmentStore.ListAsync(tx, request.IncludeEnded, paging.AfterNumber(), paging.Size + 1);
        var response = new ListEnrolmentsResponse();
        response.Enrolments.AddRange(rows.Take(paging.Size).Select(row => row.ToProto()));
        if (rows.Count > paging.Size)
            response.NextPageToken = Paging.Token(request, rows[paging.Size - 1].EnrolmentId.ToString(CultureInfo.InvariantCulture));
        return response;
    }

    public override Task<Enrolment> RevokeEnrolment(RevokeEnrolmentRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Enrolments.RevokeAsync(tx, request), context.CancellationToken);

    public override Task<AgentRegistration> RegisterAgent(RegisterAgentRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Enrolments.RegisterAsync(tx, request), context.CancellationToken);

    public override Task<AgentRegistration> RevokeAgent(RevokeAgentRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Enrolments.RevokeAgentAsync(tx, request), context.CancellationToken);

    public override async Task<Epoch> GetEpoch(GetEpochRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await Epochs.GetAsync(tx);
    }

    public override Task<Epoch> BumpEpoch(BumpEpochRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Epochs.BumpAsync(tx, request), context.CancellationToken);
}
