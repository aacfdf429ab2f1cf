using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Audit;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Alerts;

/// <summary>What somebody says of an episode; audited.</summary>
internal static class Episodes
{
    public static async Task<Episode> AcknowledgeAsync(RequestTransaction tx, AcknowledgeEpisodeRequest request)
    {
        var was = await ResolveAsync(tx, request.EpisodeId, Verb.AlertsManage);
        DemandOpen(was);
        if (await EpisodeStore.AcknowledgeAsync(tx, was.EpisodeId, request.Reason))
            await AuditAsync(tx, was, request.Reason, new { Acknowledged = true });
        return await GetAsync(tx, was.EpisodeId);
    }

    public static async Task<Episode> SilenceAsync(RequestTransaction tx, SilenceEpisodeRequest request)
    {
        var was = await ResolveAsync(tx, request.EpisodeId, Verb.AlertsManage);
        DemandOpen(was);
        RequestFields.Required("reason", request.Reason);
        var until = request.Until?.ToDateTimeOffset() ?? throw Reject.Invalid("until", "is missing: an episode is silenced until an instant");
        if (!await EpisodeStore.SilenceAsync(tx, was.EpisodeId, until, request.Reason))
            throw Reject.Invalid("until", "lies in the past");
        await AuditAsync(tx, was, request.Reason, new { SilencedUntil = until.UtcDateTime.ToString("O", CultureInfo.InvariantCulture) });
        return await GetAsync(tx, was.EpisodeId);
    }

    public static async Task<Episode> UnsilenceAsync(RequestTransaction tx, UnsilenceEpisodeRequest request)
    {
        var was = await ResolveAsync(tx, request.EpisodeId, Verb.AlertsManage);
        if (!await EpisodeStore.UnsilenceAsync(tx, was.EpisodeId))
            throw Reject.Precondition("NOT_SILENCED", Name(was), "The episode is not silenced.");
        await AuditAsync(tx, was, request.Reason, new { SilencedUntil = (string?)null });
        return await GetAsync(tx, was.EpisodeId);
    }

    public static async Task<EpisodeRow> ResolveAsync(RequestTransaction tx, long episodeId, Verb verb)
    {
        if (episodeId <= 0)
            throw Reject.Invalid("episode_id", "is missing");
        var what = string.Create(CultureInfo.InvariantCulture, $"The episode {episodeId}");
        var row = await EpisodeStore.FindAsync(tx, episodeId) ?? throw Reject.NotFound(what);
        tx.Demand(verb, row.TenantId, row.Environment, what);
        return row;
    }

    private static async Task<Episode> GetAsync(RequestTransaction tx, long episodeId) =>
        (await EpisodeStore.FindAsync(tx, episodeId) ?? throw new InvalidOperationException("An episode that was found is gone.")).ToProto();

    private static void DemandOpen(EpisodeRow row)
    {
        if (row.ResolvedAt is not null)
            throw Reject.Precondition("EPISODE_RESOLVED", Name(row), "The episode has ended.");
    }

    private static Task AuditAsync<T>(RequestTransaction tx, EpisodeRow row, string reason, T after) => AuditStore.AppendAsync(tx, new AuditEntry
    {
        TenantId = row.TenantId, Environment = row.Environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.AlertsManage), ObjectKind = "episode",
        ObjectId = Name(row), Reason = reason, After = AuditEntry.Json(after),
        Before = AuditEntry.Json(new { Acknowledged = row.AcknowledgedAt is not null, SilencedUntil = row.SilencedUntil?.UtcDateTime.ToString("O", CultureInfo.InvariantCulture) }),
    });

    private static string Name(EpisodeRow row) => row.EpisodeId.ToString(CultureInfo.InvariantCulture);

    public static Episode ToProto(this EpisodeRow row) => new()
    {
        EpisodeId = row.EpisodeId, BindingId = row.BindingId, Tenant = row.TenantId, Environment = row.Environment, JobId = row.JobId, KpiId = row.KpiId,
        ContractVersion = row.ContractVersion, Criticality = row.Criticality ?? "", Clock = row.Clock, Detail = row.Detail ?? "",
        State = row.ResolvedAt is not null ? "resolved" : row.BreachedAt is not null ? "breach" : "warn",
        OpenedAt = row.OpenedAt.ToTimestamp(), RecordedAt = row.RecordedAt.ToTimestamp(), BreachedAt = row.BreachedAt?.ToTimestamp(),
        BreachRecordedAt = row.BreachRecordedAt?.ToTimestamp(), ResolvedAt = row.ResolvedAt?.ToTimestamp(), Resolution = row.Resolution ?? "",
        Needs = row.Needs?.ToTimestamp(), RunId = row.RunId ?? 0, AcknowledgedAt = row.AcknowledgedAt?.ToTimestamp(), AcknowledgedBy = row.AcknowledgedBy ?? "",
        AcknowledgeReason = row.AcknowledgeReason ?? "", SilencedUntil = row.SilencedUntil?.ToTimestamp(), SilencedBy = row.SilencedBy ?? "", SilenceReason = row.SilenceReason ?? "",
    };
}
