using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Audit;
using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Leases;
using KpiControl.Control.Requests;
using KpiControl.Control.Runs;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Operations;

/// <summary>Ends an open occurrence: one that does not run yet at once, one that runs when its agent has stopped it.</summary>
internal static class Cancellations
{
    /// <summary>An occurrence goes on at most twice before it runs.</summary>
    private const int MostLooks = 4;

    public static async Task<CancelOccurrenceResponse> CancelAsync(RequestTransaction tx, CancelOccurrenceRequest request)
    {
        var binding = await BindingLookup.ResolveForEditAsync(tx, new(request.BindingId, request.Tenant, request.Environment, request.JobId), Verb.Run);
        var chosen = await ChooseAsync(tx, binding, request.SlotKey);
        for (var tried = 1; !await EndAsync(tx, binding, chosen, request.Reason); tried++)
        {
            // It went on between the look and the change: queued became ready, ready was granted. Each look sees what was committed.
            if (tried == MostLooks)
                throw Reject.Aborted("OCCURRENCE_MOVED", "The occurrence went on while it was being cancelled; look again.");
            chosen = await ChooseAsync(tx, binding, KeyOf(chosen));
        }
        var isLeased = chosen.State == "leased";
        await AuditStore.AppendAsync(tx, Entry(tx, binding, chosen, request.Reason) with
        {
            Before = AuditEntry.Json(new { chosen.State }), After = AuditEntry.Json(new { State = isLeased ? "cancelling" : "cancelled" }),
        });
        var response = new CancelOccurrenceResponse { BindingId = binding.BindingId, Ended = !isLeased, Occurrence = ToProto(chosen) };
        if (request.SlotKey.Length == 0 && chosen.State != "queued")
            response.Others.AddRange((await CancelOthersAsync(tx, binding, chosen, request.Reason)).Select(ToProto));
        return response;
    }

    // Of a job of which several may run at once, all that are open; one that went on meanwhile is looked for again.
    private static async Task<IReadOnlyList<OpenOccurrence>> CancelOthersAsync(RequestTransaction tx, Binding binding, OpenOccurrence chosen, string reason)
    {
        var cancelled = new Dictionary<string, OpenOccurrence>(StringComparer.Ordinal);
        for (var tried = 1; await NextAsync() is { } open;)
            if (await EndAsync(tx, binding, open, reason))
            {
                cancelled.Add(KeyOf(open), open);
                await AuditStore.AppendAsync(tx, Entry(tx, binding, open, reason) with
                {
                    Before = AuditEntry.Json(new { open.State }), After = AuditEntry.Json(new { State = open.State == "leased" ? "cancelling" : "cancelled" }),
                });
            }
            else if (tried++ == MostLooks)
                throw Reject.Aborted("OCCURRENCE_MOVED", "An occurrence went on while it was being cancelled; look again.");
        return [.. cancelled.Values];

        async Task<OpenOccurrence?> NextAsync() => (await CancelStore.OpenAsync(tx, binding.BindingId))
            .FirstOrDefault(open => open.State != "queued" && KeyOf(open) != KeyOf(chosen) && !cancelled.ContainsKey(KeyOf(open)));
    }

    /// <summary>Part of something larger, which writes the audit row: what has ended meanwhile is left at that.</summary>
    public static async Task EndIfOpenAsync(RequestTransaction tx, Binding binding, string slotKey, string reason)
    {
        for (var tried = 1; (await CancelStore.OpenAsync(tx, binding.BindingId)).FirstOrDefault(o => KeyOf(o) == slotKey) is { } open && !await EndAsync(tx, binding, open, reason); tried++)
            if (tried == MostLooks)
                throw Reject.Aborted("OCCURRENCE_MOVED", "An occurrence went on while it was being cancelled; look again.");
    }

    private static async Task<OpenOccurrence> ChooseAsync(RequestTransaction tx, Binding binding, string slotKey) =>
        (await CancelStore.OpenAsync(tx, binding.BindingId)).FirstOrDefault(o => slotKey.Length == 0 || KeyOf(o) == slotKey)
        ?? throw (slotKey.Length > 0
            ? Reject.NotFound($"An open occurrence {slotKey}")
            : Reject.Precondition("NOTHING_OPEN", $"{binding.BindingId}", "The job has no open occurrence."));

    private static async Task<bool> EndAsync(RequestTransaction tx, Binding binding, OpenOccurrence open, string reason)
    {
        var why = reason.Length > 0 ? reason : null;
        return open.State switch
        {
            "leased" => await CancelStore.AskAgentAsync(tx, binding.BindingId, open),
            "queued" => await CancelStore.EndQueuedAsync(tx, binding.BindingId, open, await SlotsAsync(tx, binding, open), why),
            _ => await CancelStore.EndParkedAsync(tx, binding.BindingId, open, why),
        };
    }

    private static async Task<int> SlotsAsync(RequestTransaction tx, Binding binding, OpenOccurrence open)
    {
        if (open.LastSlot == open.ScheduledFor)
            return 1;
        var under = await CancelStore.RevisionAsync(tx, binding.BindingId, open.Revision);
        // A zone that this machine no longer knows must not keep anybody from cancelling.
        return 1 + (BindingSchedule.Create(binding.BindingId, under.ScheduleCron, under.Timezone, under.CanonicalJson, under.CalendarJson, under.OverridesJson)?.Schedule.Slots(open.ScheduledFor, open.LastSlot).Count() ?? 1);
    }

    private static string KeyOf(OpenOccurrence open) => new SlotKey(open.TriggerKind, open.ScheduledFor).ToString();

    private static Occurrence ToProto(OpenOccurrence open) => new()
    {
        SlotKey = KeyOf(open), ScheduledFor = open.ScheduledFor.ToTimestamp(), WindowStart = open.WindowStart?.ToTimestamp(),
        BusinessDate = open.BusinessDate.ToString("O", CultureInfo.InvariantCulture), State = open.State, TriggerKind = open.TriggerKind,
        TryNumber = open.RetryCount + 1, AttemptId = open.State == "leased" ? open.AttemptId?.ToString() ?? "" : "",
    };

    private static AuditEntry Entry(RequestTransaction tx, Binding binding, OpenOccurrence open, string reason) => new()
    {
        TenantId = binding.TenantId, Environment = binding.Environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.Run),
        ObjectKind = "occurrence", ObjectId = $"{binding.BindingId}/{KeyOf(open)}", Reason = reason,
    };
}
