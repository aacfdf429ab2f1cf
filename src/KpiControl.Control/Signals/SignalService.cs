using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Control.Audit;
using KpiControl.Control.Database;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Signals;

/// <summary>What pipelines tell. A fact is committed first and wakes afterwards: whoever begins to wait in between sees the fact.</summary>
internal sealed class SignalService(Mutations mutations, Databases databases, DependencyWaits waits) : Protocol.V1.SignalService.SignalServiceBase
{
    private const int LongestChange = 10;

    public override async Task<PublishSignalResponse> PublishSignal(PublishSignalRequest request, ServerCallContext context)
    {
        var (caller, token) = (context.Caller(), context.CancellationToken);
        PublishTarget? committed = null;
        var response = await mutations.RunAsync(request, caller, async tx =>
        {
            var target = await PublishChecks.TargetAsync(tx, request.Tenant, request.Environment, request.Region);
            var name = PublishChecks.Name("name", request.Name);
            var businessDate = RequestFields.BusinessDate(request.BusinessDate);
            var id = await SignalStore.AddSignalAsync(tx, target, name, businessDate);
            await AuditAsync(tx, target, "signal", id, AuditEntry.Json(new { name, target.Region, request.BusinessDate }));
            committed = target;
            return new PublishSignalResponse { SignalId = id, Started = await Events.StartAsync(tx, target, name, id, businessDate) };
        }, token);
        if (committed is { } to && !request.ValidateOnly)
        {
            response.Woken = await waits.PublishedAsync("signal", to.Tenant, to.Environment, to.Region, request.Name, token);
            await KeepAsync(request, response, to, caller, token);
        }
        return response;
    }

    public override async Task<PublishRefreshResponse> PublishRefresh(PublishRefreshRequest request, ServerCallContext context)
    {
        var (caller, token) = (context.Caller(), context.CancellationToken);
        PublishTarget? committed = null;
        var response = await mutations.RunAsync(request, caller, async tx =>
        {
            var target = await PublishChecks.TargetAsync(tx, request.Tenant, request.Environment, request.Region);
            var refresh = Read(request);
            var id = await SignalStore.AddRefreshAsync(tx, target, refresh);
            if (id is null)
                return await EarlierAsync(tx, target, refresh);
            await SignalStore.NoteLateAsync(tx, target, refresh, id.Value);
            await AuditAsync(tx, target, "refresh", id.Value, AuditEntry.Json(new { refresh.Dataset, target.Region, refresh.DataThrough, refresh.SourceRun, refresh.Version, refresh.ChangedFrom }));
            committed = target;
            return new PublishRefreshResponse { RefreshId = id.Value };
        }, token);
        if (committed is { } to && !request.ValidateOnly)
        {
            response.Woken = await waits.PublishedAsync("gdp", to.Tenant, to.Environment, to.Region, request.Dataset, token);
            await KeepAsync(request, response, to, caller, token);
        }
        return response;
    }

    public override async Task<ListSignalsResponse> ListSignals(ListSignalsRequest request, ServerCallContext context)
    {
        var paging = Paging.Of(request);
        var (at, kind, id) = FactPosition.Parse(paging);
        var scope = ReadScope.Of(context.Caller(), Verb.Read);
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var rows = await SignalStore.ListAsync(tx, new
        {
            tenants = scope.Tenants, environments = scope.Environments, request.Tenant, request.Environment, request.Name,
            at, kind, id, limit = paging.Size + 1,
        });
        var response = new ListSignalsResponse();
        response.Facts.AddRange(rows.Take(paging.Size).Select(ToProto));
        if (rows.Count > paging.Size)
            response.NextPageToken = Paging.Token(request, FactPosition.Of(rows[paging.Size - 1]));
        return response;
    }

    private static Refresh Read(PublishRefreshRequest request) => new(
        PublishChecks.Name("dataset", request.Dataset),
        request.DataThrough?.ToDateTimeOffset() ?? throw Reject.Invalid("data_through", "is missing: everything before this instant is in the table"),
        PublishChecks.Bounded("run_id", request.RunId, required: true),
        PublishChecks.Bounded("version", request.Version, required: false),
        ChangedFrom(request));

    private static DateTimeOffset? ChangedFrom(PublishRefreshRequest request)
    {
        if (request.ChangedFrom?.ToDateTimeOffset() is not { } from)
            return null;
        var through = request.DataThrough.ToDateTimeOffset();
        if (from >= through)
            throw Reject.Invalid("changed_from", "is not before data_through: from this instant on something of the table changed");
        return from > through.AddYears(-LongestChange) ? from : throw Reject.Invalid("changed_from", $"lies more than {LongestChange} years before data_through");
    }

    private static async Task<PublishRefreshResponse> EarlierAsync(RequestTransaction tx, PublishTarget target, Refresh refresh)
    {
        var earlier = await SignalStore.FindRefreshAsync(tx, target, refresh);
        return earlier.Same ? new PublishRefreshResponse { RefreshId = earlier.RefreshId }
            : throw Reject.Exists("REFRESH_EXISTS", $"The run {refresh.SourceRun} has already published another refresh of {refresh.Dataset}: a new refresh is a new run_id.",
                ("refresh_id", earlier.RefreshId.ToString(System.Globalization.CultureInfo.InvariantCulture)));
    }

    private static Task AuditAsync(RequestTransaction tx, PublishTarget target, string kind, long id, string after) =>
        AuditStore.AppendAsync(tx, new AuditEntry
        {
            TenantId = target.Tenant, Environment = target.Environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.Run),
            ObjectKind = kind, ObjectId = id.ToString(System.Globalization.CultureInfo.InvariantCulture), After = after,
        });

    // How many woke is known after the commit; the replay must answer the same.
    private async Task KeepAsync(IMessage request, IMessage response, PublishTarget target, Caller caller, CancellationToken token)
    {
        if (Envelope.Of(request).RequestId is not { } id)
            return;
        await using var tx = await RequestTransaction.BeginAsync(databases, caller, token, id);
        tx.Demand(Verb.Run, target.Tenant, target.Environment, $"The tenant {target.Tenant}");
        await RequestStore.KeepAsync(tx, id, response.ToByteArray());
        await tx.CommitAsync();
    }

    private static PublishedFact ToProto(PublishedRow row) => new()
    {
        Kind = row.Kind, Id = row.Id, Tenant = row.TenantId, Environment = row.Environment, Region = row.Region ?? "", Name = row.Name,
        BusinessDate = row.BusinessDate?.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture) ?? "",
        DataThrough = row.DataThrough is { } through ? Timestamp.FromDateTimeOffset(through) : null, ChangedFrom = row.ChangedFrom is { } from ? Timestamp.FromDateTimeOffset(from) : null,
        RunId = row.SourceRun, Version = row.Version, PublishedAt = Timestamp.FromDateTimeOffset(row.PublishedAt), PublishedBy = row.PublishedBy,
    };
}
