using System.Globalization;
using Grpc.Core;
using KpiControl.Control.Database;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Alerts;

internal sealed class AlertService(Mutations mutations, Databases databases, SlaReads reads) : Protocol.V1.AlertService.AlertServiceBase
{
    public override async Task<ListSlaStatesResponse> ListSlaStates(ListSlaStatesRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await SlaReads.StatesAsync(tx, request);
    }

    public override async Task<ReportSlaResponse> ReportSla(ReportSlaRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await reads.ReportAsync(tx, request);
    }

    public override async Task<ListEpisodesResponse> ListEpisodes(ListEpisodesRequest request, ServerCallContext context)
    {
        if (request.Clock is not ("" or "freshness" or "latency" or "availability" or "failure" or "drift"))
            throw Reject.Invalid("clock", "is none of freshness, latency, availability, failure and drift");
        var paging = Paging.Of(request);
        var scope = ReadScope.Of(context.Caller(), Verb.Read);
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var rows = await EpisodeStore.PageAsync(tx, new
        {
            tenants = scope.Tenants, environments = scope.Environments, tenant = request.Tenant, environment = request.Environment, binding = request.BindingId,
            clock = request.Clock, resolved = request.IncludeResolved, before = paging.AfterNumber() ?? long.MaxValue, limit = paging.Size + 1,
        });
        var response = new ListEpisodesResponse();
        response.Episodes.AddRange(rows.Take(paging.Size).Select(row => row.ToProto()));
        if (rows.Count > paging.Size)
            response.NextPageToken = Paging.Token(request, rows[paging.Size - 1].EpisodeId.ToString(CultureInfo.InvariantCulture));
        return response;
    }

    public override async Task<Episode> GetEpisode(GetEpisodeRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return (await Episodes.ResolveAsync(tx, request.EpisodeId, Verb.Read)).ToProto();
    }

    public override Task<Episode> AcknowledgeEpisode(AcknowledgeEpisodeRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Episodes.AcknowledgeAsync(tx, request), context.CancellationToken);

    public override Task<Episode> SilenceEpisode(SilenceEpisodeRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Episodes.SilenceAsync(tx, request), context.CancellationToken);

    public override async Task<ListDeadAlertsResponse> ListDeadAlerts(ListDeadAlertsRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await DeadAlerts.ListAsync(tx, request);
    }

    public override Task<DeadAlert> ResendAlert(ResendAlertRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => DeadAlerts.ResendAsync(tx, request), context.CancellationToken);

    public override Task<Episode> UnsilenceEpisode(UnsilenceEpisodeRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Episodes.UnsilenceAsync(tx, request), context.CancellationToken);
}
