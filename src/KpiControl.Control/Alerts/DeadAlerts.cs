using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Audit;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Alerts;

/// <summary>The dead letters, and sending one again; audited.</summary>
internal static class DeadAlerts
{
    public static async Task<ListDeadAlertsResponse> ListAsync(RequestTransaction tx, ListDeadAlertsRequest request)
    {
        var paging = Paging.Of(request);
        var scope = ReadScope.Of(tx.Caller, Verb.Read);
        var rows = await DeadAlertStore.PageAsync(tx, new
        {
            tenants = scope.Tenants, environments = scope.Environments, tenant = request.Tenant, environment = request.Environment, after = paging.AfterNumber() ?? 0, limit = paging.Size + 1,
        });
        var response = new ListDeadAlertsResponse();
        response.Alerts.AddRange(rows.Take(paging.Size).Select(ToProto));
        if (rows.Count > paging.Size)
            response.NextPageToken = Paging.Token(request, rows[paging.Size - 1].MessageId.ToString(CultureInfo.InvariantCulture));
        return response;
    }

    public static async Task<DeadAlert> ResendAsync(RequestTransaction tx, ResendAlertRequest request)
    {
        if (request.MessageId <= 0)
            throw Reject.Invalid("message_id", "is missing");
        var what = string.Create(CultureInfo.InvariantCulture, $"The alert {request.MessageId}");
        var row = await DeadAlertStore.FindAsync(tx, request.MessageId) ?? throw Reject.NotFound(what);
        tx.Demand(Verb.AlertsManage, row.TenantId, row.Environment, what);
        if (!await DeadAlertStore.ResendAsync(tx, row.MessageId))
            throw Reject.Precondition("NOT_DEAD", what, $"The alert is {row.State}: only one that was given up is sent again.");
        await AuditStore.AppendAsync(tx, new AuditEntry
        {
            TenantId = row.TenantId, Environment = row.Environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.AlertsManage), ObjectKind = "alert",
            ObjectId = row.MessageId.ToString(CultureInfo.InvariantCulture), Reason = request.Reason, Before = AuditEntry.Json(new { State = "dead" }), After = AuditEntry.Json(new { State = "pending" }),
        });
        return ToProto(row);
    }

    private static DeadAlert ToProto(DeadAlertRow row) => new()
    {
        MessageId = row.MessageId, Tenant = row.TenantId, Environment = row.Environment, JobId = row.JobId, BindingId = row.BindingId, EpisodeId = row.EpisodeId ?? 0, Event = row.Event,
        Channel = row.ChannelValue, Tries = row.Tries, LastError = row.LastError ?? "", OccurredAt = row.OccurredAt.ToTimestamp(),
    };
}
