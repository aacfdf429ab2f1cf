using System.Globalization;
using KpiControl.Control.Audit;
using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Leases;
using KpiControl.Control.Operations;
using KpiControl.Control.Requests;
using KpiControl.Control.Runs;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Backfills;

/// <summary>An occurrence that ended, once more: its window and its business date, by its own definition or by the current one.</summary>
internal static class Replays
{
    public static async Task<ReplayRunResponse> ReplayAsync(RequestTransaction tx, ReplayRunRequest request)
    {
        var what = string.Create(CultureInfo.InvariantCulture, $"The run {request.RunId}");
        var run = await RunStore.FindAsync(tx, request.RunId) ?? throw Reject.NotFound(what);
        var binding = await BindingLookup.ResolveForEditAsync(tx, new(run.BindingId, "", "", ""), Verb.Backfill);
        var same = request.Definition switch
        {
            "" or "same" => true,
            "current" => false,
            _ => throw Reject.Invalid("definition", "is neither same nor current"),
        };
        if (!run.Final || run.SlotCount > 1)
            throw Reject.Precondition("NOT_ONE_OCCURRENCE", $"{run.RunId}", run.Final ? "The row stands for several slots: backfill them." : "The run was one try of an occurrence that went on: replay the one that ended it.");
        // A replay reports: it would put the reported number in the place of the restated one.
        if (run.RestatementId is { } restatement)
            throw Reject.Precondition("IS_A_RESTATEMENT", $"{run.RunId}", $"The run restated a number (restatement {restatement}) and reported none; a later refresh, or that restatement where it failed, is accepted instead.");
        Triggers.DemandMayRun(await TriggerStore.FactsAsync(tx, binding.BindingId), binding);
        var occurrence = new Triggered
        {
            BindingId = binding.BindingId, Kind = (short)OccurrenceKind.Replay, PinnedRevision = same ? run.Revision : null, At = await FreeAsync(tx, run), SlotKey = "",
            WindowStart = run.WindowStart, BusinessDate = run.BusinessDate, By = tx.Caller.Principal, Reason = request.Reason.Length > 0 ? request.Reason : $"replay of run/{run.RunId}",
        };
        occurrence = occurrence with { SlotKey = new SlotKey("replay", occurrence.At).ToString() };
        var lane = await TriggerStore.QueueAsync(tx, occurrence) ?? throw Triggers.Paused(binding);
        await AuditStore.AppendAsync(tx, Triggers.Entry(tx, binding, occurrence) with { Verb = nameof(Verb.Backfill) });
        await CursorStore.TellAsync(tx, string.Create(CultureInfo.InvariantCulture, $"queue {lane}"));
        return new ReplayRunResponse { BindingId = binding.BindingId, Occurrence = Triggers.ToProto(occurrence), Revision = same ? run.Revision : binding.Revision };
    }

    // The run's own instant, a microsecond later for each replay before this one; the binding's row is held.
    private static async Task<DateTimeOffset> FreeAsync(RequestTransaction tx, RunRow run)
    {
        var second = run.ScheduledFor.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture);
        var taken = (await TriggerStore.KeysLikeAsync(tx, run.BindingId, $"replay:{second}")).ToHashSet(StringComparer.Ordinal);
        var at = run.ScheduledFor;
        while (taken.Contains(new SlotKey("replay", at).ToString()))
            at = at.AddMicroseconds(1);
        return at;
    }
}
