using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Audit;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.OpenLineage;

/// <summary>The lineage events that were given up, and sending them again; audited.</summary>
internal static class DeadEvents
{
    public static async Task<ListDeadEventsResponse> ListAsync(RequestTransaction tx, ListDeadEventsRequest request)
    {
        var paging = Paging.Of(request);
        var scope = ReadScope.Of(tx.Caller, Verb.Read);
        var rows = await DeadEventStore.PageAsync(tx, new
        {
            tenants = scope.Tenants, environments = scope.Environments, tenant = request.Tenant, environment = request.Environment, after = paging.AfterNumber() ?? 0, limit = paging.Size + 1,
        });
        var response = new ListDeadEventsResponse { Events = { rows.Take(paging.Size).Select(ToProto) } };
        if (rows.Count > paging.Size)
            response.NextPageToken = Paging.Token(request, rows[paging.Size - 1].EventId.ToString(CultureInfo.InvariantCulture));
        return response;
    }

    public static Task<ResendEventsResponse> ResendAsync(RequestTransaction tx, ResendEventsRequest request) => request.EventId switch
    {
        < 0 => throw Reject.Invalid("event_id", "is below 0"),
        0 => ResendAllAsync(tx, request),
        _ => ResendOneAsync(tx, request),
    };

    private static async Task<ResendEventsResponse> ResendOneAsync(RequestTransaction tx, ResendEventsRequest request)
    {
        var what = string.Create(CultureInfo.InvariantCulture, $"The lineage event {request.EventId}");
        var row = await DeadEventStore.FindAsync(tx, request.EventId) ?? throw Reject.NotFound(what);
        tx.Demand(Verb.AlertsManage, row.TenantId, row.Environment, what);
        if (!await DeadEventStore.ResendAsync(tx, row.EventId))
            throw Reject.Precondition("NOT_DEAD", what, $"The event is {row.State}: only one that was given up is sent again.");
        await AuditStore.AppendAsync(tx, Entry(tx, request, row.TenantId, row.Environment, row.EventId.ToString(CultureInfo.InvariantCulture), 1));
        return new ResendEventsResponse { Events = 1 };
    }

    private static async Task<ResendEventsResponse> ResendAllAsync(RequestTransaction tx, ResendEventsRequest request)
    {
        var scope = ReadScope.Of(tx.Caller, Verb.AlertsManage);
        var resent = await DeadEventStore.ResendAsync(tx, new { tenants = scope.Tenants, environments = scope.Environments, tenant = request.Tenant, environment = request.Environment });
        await AuditStore.AppendAsync(tx, [.. resent.Select(of => Entry(tx, request, of.TenantId, of.Environment, "all", of.Events))]);
        return new ResendEventsResponse { Events = resent.Sum(of => of.Events) };
    }

    private static AuditEntry Entry(RequestTransaction tx, ResendEventsRequest request, string tenant, string environment, string id, int events) => new()
    {
        TenantId = tenant, Environment = environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.AlertsManage), ObjectKind = "lineage_event", ObjectId = id, Reason = request.Reason,
        Before = AuditEntry.Json(new { State = "dead" }), After = AuditEntry.Json(new { State = "pending", events }),
    };

    private static DeadEvent ToProto(DeadEventRow row) => new()
    {
        EventId = row.EventId, Tenant = row.TenantId, Environment = row.Environment, JobId = row.JobId, BindingId = row.BindingId, AttemptId = row.AttemptId.ToString("D"), EventType = row.EventType,
        ScheduledFor = row.ScheduledFor.ToTimestamp(), Tries = row.Tries, LastError = row.LastError ?? "", GivenUpAt = row.EndedAt?.ToTimestamp(),
    };
}
