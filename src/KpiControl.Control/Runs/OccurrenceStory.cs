using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Leases;
using KpiControl.Jobs.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Runs;

/// <summary>Tells the facts of an occurrence in order, and the answer in one sentence. Pure.</summary>
internal static class OccurrenceStory
{
    public static ExplainOccurrenceResponse Tell(OccurrenceFacts facts)
    {
        var response = new ExplainOccurrenceResponse { Answer = Answer(facts) + OccurrenceSurroundings.Why(facts), SlotKey = facts.Slot.ToString() };
        var told = InForce(facts).Concat(OccurrenceSurroundings.Later(facts)).Concat(Pauses(facts)).Concat(OccurrenceSurroundings.Overrides(facts)).Concat(OccurrenceCauses.Tell(facts)).Concat(Attempts(facts)).Concat(Late(facts))
            .Concat(OpenNow(facts)).Concat(OccurrenceSurroundings.Next(facts));
        // A stable sort: what happened at one instant stays in the order of its telling.
        response.Facts.AddRange(told.OrderBy(fact => fact.At?.ToDateTimeOffset() ?? DateTimeOffset.MinValue));
        return response;
    }

    private static IEnumerable<Fact> InForce(OccurrenceFacts facts)
    {
        if (facts.Revision is not { } revision)
        {
            // Of a time before the job: what was asked for since runs all the same.
            yield return facts.AskedFor is not null ? Asked(facts)
                : Fact(null, "revision", "No revision of the job was in force at that slot: it did not exist yet, and an edit never fires the past.");
            yield break;
        }
        yield return Fact(revision.EffectiveFrom, "revision",
            $"Revision {revision.Revision} was in force: {OccurrenceSurroundings.Words(revision)}.", Invariant($"revision/{revision.Revision}"));
        if (facts.Slot.Kind != "schedule")
            yield return Asked(facts);
        else if (!facts.IsSlot)
            yield return Fact(facts.Slot.ScheduledFor, "scheduled", "That instant is no slot of the schedule that was in force." + CalendarStory.Sentence(facts) + OccurrenceSurroundings.Bounds(facts));
        else if (CalendarStory.Sentence(facts) is { Length: > 0 } taken)
            yield return Fact(facts.Slot.ScheduledFor, "calendar", "A slot of the expression that does not fire." + taken, Invariant($"calendar/{revision.Calendar}/{revision.CalendarVersion}"));
        else if (facts.Schedule is { } inForce)
            yield return Fact(facts.Slot.ScheduledFor, "scheduled",
                Invariant($"A slot of the schedule, for the window ({Text(inForce.Schedule.Previous(facts.Slot.ScheduledFor))}, {Text(facts.Slot.ScheduledFor)}] and the business date {inForce.BusinessDate(facts.Slot.ScheduledFor):yyyy-MM-dd}{OccurrenceSurroundings.Moved(inForce.Schedule)}."));
    }

    private static Fact Asked(OccurrenceFacts facts) =>
        Fact(facts.Slot.ScheduledFor, "triggered", $"{(facts.Slot.Kind == "event" ? "An" : "A")} {facts.Slot.Kind} occurrence{For(facts)}{By(facts.AskedFor)}.");

    private static IEnumerable<Fact> Pauses(OccurrenceFacts facts)
    {
        foreach (var pause in facts.Pauses)
        {
            var until = pause.PausedUntil == DateTimeOffset.MaxValue ? "until resumed" : $"until {Text(pause.PausedUntil)}";
            yield return Fact(pause.PausedAt, "paused", $"Paused by {pause.PausedBy} {until}{Because(pause.Reason)}.", Invariant($"pause/{pause.PauseId}"));
            if (pause.EndedAt is { } ended)
                yield return Fact(ended, "resumed", $"The pause ended ({pause.EndedBy}).", Invariant($"pause/{pause.PauseId}"));
        }
    }

    private static IEnumerable<Fact> Attempts(OccurrenceFacts facts)
    {
        foreach (var run in facts.Runs)
        {
            var reference = Invariant($"run/{run.RunId}");
            if (run.StartedAt is { } started)
                yield return Fact(started, "leased", Invariant($"Try {run.RetrySeq + 1} ran on {run.Agent ?? "an agent"} under fence ({run.FenceEpoch}, {run.RunId}){OccurrenceSurroundings.Under(run, facts)}."), reference);
            yield return Fact(run.FinishedAt ?? run.RecordedAt, run.Status == "lost" ? "lost" : run.Final ? "finished" : "attempt", Outcome(run, facts), reference);
        }
    }

    private static IEnumerable<Fact> Late(OccurrenceFacts facts) => facts.LateReports.Select(report =>
        Fact(report.RecordedAt, report.Kind, $"Attempt {report.AttemptId} reported when its lease was no longer current; it changed nothing."));

    private static IEnumerable<Fact> OpenNow(OccurrenceFacts facts)
    {
        if (facts.Open is { } open)
            yield return OpenFact(facts, open);
        foreach (var missing in facts.Open?.State == "waiting" ? facts.Missing : [])
            yield return Fact(missing.Since ?? facts.Now, "missing", $"Waits for {missing.Missing()}{(missing.Since is { } since ? $", since {Text(since)}" : "")}.");
        if (facts.IsDue)
            yield return Fact(facts.Slot.ScheduledFor, "due", "Due, and not yet taken up by the scheduler.");
        if (facts.Open is { State: "queued" or "waiting" or "ready" } && facts.Open.Deadline is { } deadline)
            yield return Fact(deadline, "deadline", "If it has not started by then, it ends as skipped.");
        if (!facts.IsDue && facts.Open is null or { State: "leased" or "waiting" })
            yield break;
        if (facts.Cursor is { EpochStands: false })
            yield return Fact(facts.Now, "epoch", "The database was promoted or restored: nothing is granted until an operator bumps the cluster's epoch.");
        yield return facts.Agents.Count == 0
            ? Fact(facts.Now, "no_agent", $"No live agent in {facts.Binding.Region} serves {facts.Binding.TenantId}: it cannot be routed.")
            : OccurrenceRouting.Lacking(facts) is { } lacking ? Fact(facts.Now, "no_agent", $"It cannot be routed: {lacking}")
            : Fact(facts.Now, "agents", $"Live agents in {facts.Binding.Region}: {string.Join(", ", facts.Agents.Select(a => a.Agent))}.");
    }

    private static Fact OpenFact(OccurrenceFacts facts, OpenRow open) => open.State switch
    {
        "leased" => Fact(facts.Now, "leased", Invariant($"Try {open.RetryCount + 1} runs on {open.Agent} (attempt {open.AttemptId}){OccurrenceRouting.Until(open, facts.Now)}."), $"attempt/{open.AttemptId}"),
        "ready" when open.RetryAt > facts.Now => Fact(open.RetryAt, "retry", Invariant($"Try {open.RetryCount + 1} follows then.")),
        "ready" => Fact(facts.Now, "ready", $"Ready{(Occurrences.ReasonWord(open.Reason) is { Length: > 0 } why ? $" ({why})" : "")}, and not leased yet."),
        "queued" => Fact(facts.Now, "queued", $"Queues behind {(facts.Holder is { } holder ? new SlotKey(holder.Kind, holder.ScheduledFor).ToString() : "others of the job")}."),
        _ => Fact(facts.Now, "waiting", "Waits for what it depends on."),
    };

    private static string Answer(OccurrenceFacts facts) => facts switch
    {
        { Final: { } run } => Outcome(run, facts) + (run.Reason is "holiday" or "blackout" ? CalendarStory.Sentence(facts) : OccurrenceCauses.Why(facts)),
        { Open: { State: "leased" } open } => $"It is running on {open.Agent}.",
        { Open.State: "waiting" } => $"It waits for {string.Join(" and ", facts.Missing.Select(m => m.Missing()).DefaultIfEmpty("what it depends on"))}.",
        { Cursor.Paused: true, Open: not null } => "It is open, and the job is paused: nothing starts until it is resumed.",
        { Cursor.EpochStands: false, Open: not null } or { Cursor.EpochStands: false, IsDue: true } => "It can start, and the database was promoted or restored: nothing is granted until an operator bumps the cluster's epoch.",
        { Open.State: "queued" } => "It queues behind another occurrence of the job.",
        { Open: { } open } when open.RetryAt > facts.Now => $"A try failed; the next one follows at {Text(open.RetryAt)}.",
        { Open: not null, Agents.Count: 0 } => $"It is ready, and no live agent in {facts.Binding.Region} serves {facts.Binding.TenantId}.",
        { Open: not null } when OccurrenceRouting.Lacking(facts) is { } lacking => $"It is ready, and cannot start: {lacking}",
        { Open: not null } => "It is ready, and is leased as soon as an agent has a free slot.",
        { Revision: null } => "It did not run: the job was not in force at that slot.",
        { IsSlot: false } => "The schedule that was in force has no slot at that instant." + CalendarStory.Sentence(facts) + OccurrenceSurroundings.Bounds(facts),
        { Cursor.Active: false } => "It does not run: the job is not active.",
        _ when CalendarStory.Sentence(facts) is { Length: > 0 } taken => $"It {(facts.IsPast ? "does" : "will")} not run.{taken}",
        _ when OccurrenceCauses.Barred(facts) is { } barred && (facts.IsDue || !facts.IsPast) => barred,
        { IsDue: true, Cursor.Paused: true } => "It is due, and the job is paused.",
        { IsDue: true, Agents.Count: 0 } => $"It is due, and no live agent in {facts.Binding.Region} serves {facts.Binding.TenantId}.",
        { IsDue: true } when OccurrenceRouting.Lacking(facts) is { } lacking => $"It is due, and cannot start: {lacking}",
        { IsDue: true } => "It is due, and is taken up next.",
        { IsPast: false, Cursor.Paused: true } => "It is not due yet; the job is paused.",
        { IsPast: false } => $"It is not due yet: it is scheduled for {Text(facts.Slot.ScheduledFor)}.",
        { Slot.Kind: not "schedule" } => "There is no such occurrence: nothing was queued, leased or recorded under that key.",
        _ => "Nothing is recorded of it.",
    };

    private static string Outcome(RunRow run, OccurrenceFacts facts)
    {
        var what = run.Status switch
        {
            "success" => "It succeeded",
            "partial" => "It was delivered in part",
            "failed" when run is { Final: true, Reason: FailReason.LeaseLost } => "It was given up: its lease was lost too often, with whoever ran it",
            "failed" when run.Final => "It failed",
            "failed" => "A try failed",
            "suppressed" => "It was computed and suppressed by a rule",
            "cancelled" => "It was cancelled",
            "skipped" when run.ErrorCode == RunErrors.NotReady.Code => "It was skipped: none of its stages was ready (not_ready)",
            "skipped" => $"It was skipped: {Words(run.Reason, facts.Job?.Schedule.Overlap)}",
            "lost" when run.Reason == FailReason.Returned => "Its lease came back unrun: its agent returned it",
            _ => "Its lease was lost: the agent fell silent",
        };
        var error = run.ErrorCode is { Length: > 0 } code ? $": {code}{(run.ErrorMessage is { Length: > 0 } text ? $", {text}" : "")}" : run.Status == "skipped" ? "" : Because(run.Reason);
        var stretch = run.SlotCount > 1 ? Invariant($" (one of {run.SlotCount} slots up to {Text(run.SlotLast)})") : "";
        return $"{what}{error}{stretch}.";
    }

    private static string Words(string? reason, string? overlap) => reason switch
    {
        "overlap" when overlap == "allow" => "as many of the job ran as may at once, and another queued already (overlap: allow)",
        "overlap" => "another occurrence of the job held it (overlap: skip)",
        "paused" => "the job was paused",
        "holiday" => "its day is a holiday (holiday)",
        "blackout" => "nothing starts in a blackout (blackout)",
        "not_ready" => "what it depends on did not come in time (not_ready)",
        "pre_validation" => "its inputs did not pass the contract's rules (pre_validation)",
        "contract_inactive" => "its contract was not active (contract_inactive)",
        "superseded" => "a newer slot ran in its place (superseded)",
        "missed_window" => "it came and went unseen, and catch-up does not reach it (missed_window)",
        "unroutable" => "no agent could take it (unroutable)",
        _ => reason ?? "",
    };

    private static string For(OccurrenceFacts facts) => facts.BusinessDate is { } date ? Invariant($" for the business date {date:yyyy-MM-dd}") : "";

    private static string By(RequestedRow? asked) => asked is null ? "" : $", asked for by {asked.RequestedBy}{Because(asked.Reason)}";

    internal static string Because(string? reason) => reason is { Length: > 0 } ? $": {reason}" : "";

    internal static string Text(DateTimeOffset? at) => at is { } instant ? instant.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture) : "…";

    internal static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    internal static Fact Fact(DateTimeOffset? at, string kind, string text, string reference = "") =>
        new() { At = at is { } instant ? Timestamp.FromDateTimeOffset(instant) : null, Kind = kind, Text = text, Reference = reference };
}
