using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using KpiControl.Jobs.Runs;
using KpiControl.Protocol.V1;
using static KpiControl.Control.Runs.OccurrenceStory;

namespace KpiControl.Control.Runs;

/// <summary>What made an occurrence late, skipped or one of several: other occurrences, what it depends on, its contract, its schedule's policy. Pure.</summary>
internal static class OccurrenceCauses
{
    // What a lease takes on a busy node is no lateness that anybody asks about.
    private static readonly TimeSpan Punctual = TimeSpan.FromMinutes(1);

    public static IEnumerable<Fact> Tell(OccurrenceFacts facts) =>
        [.. Dependencies(facts), .. HeldBy(facts), .. Policy(facts), .. InItsPlace(facts), .. Contract(facts), .. Needs(facts), .. OfTheDate(facts)];

    /// <summary>After how it ended: what had not come, or by how much it began late, and why.</summary>
    public static string Why(OccurrenceFacts facts) => facts.Final?.Reason switch
    {
        SkipReason.NotReady when Late(facts).ToList() is { Count: > 0 } late => $" {Upper(string.Join(" and ", late.Select(one => Words(one, facts))))} had not come.",
        SkipReason.ContractInactive when facts.ContractMove is { } move => $" {move.Contract} is {move.Status ?? "another"} since {Text(move.At)}.",
        _ => Lateness(facts),
    };

    /// <summary>Of a slot to come whose contract lets none run as it stands; null where it does.</summary>
    public static string? Barred(OccurrenceFacts facts) => facts is { Slot.Kind: "schedule", Final: null, Open: null, ContractStatus: { } status } && status is not (ContractStatus.Active or ContractStatus.Deprecated)
        ? $"It will be skipped as things stand: the contract {facts.Binding.KpiId}@{facts.Binding.ContractVersion} is {status} (contract_inactive)." : null;

    private static string Lateness(OccurrenceFacts facts)
    {
        if (facts.Slot.Kind != "schedule" || Began(facts) is not { } began || began - facts.Slot.ScheduledFor < Punctual)
            return "";
        var waited = facts.Arrivals.Where(one => one.At > facts.Slot.ScheduledFor && one.At <= began).MaxBy(one => one.At);
        var paused = facts.Pauses.Where(pause => End(pause) > facts.Slot.ScheduledFor && End(pause) <= began).MaxBy(End);
        var why = waited is not null ? $"it waited for {Words(waited, facts)} until {Text(waited.At)}"
            : paused is not null ? $"the job was paused until {Text(End(paused))}"
            : facts.HeldBy is { } holder ? $"another occurrence of the job held it until {Text(holder.FinishedAt)}"
            : "no agent took it before: none was free or connected, or no control plane was up";
        return $" It began {Durations.Format(TimeSpan.FromSeconds(Math.Floor((began - facts.Slot.ScheduledFor).TotalSeconds)))} after its slot: {why}.";
    }

    /// <summary>When the first try began; null where none did.</summary>
    public static DateTimeOffset? Began(OccurrenceFacts facts) => facts.Runs.FirstOrDefault(run => run.StartedAt is not null)?.StartedAt;

    private static IEnumerable<ArrivalRow> Late(OccurrenceFacts facts) => facts.Arrivals.Where(one => one.At is null || one.At > facts.Final?.RecordedAt);

    private static DateTimeOffset End(PauseRow pause) => pause.EndedAt ?? pause.PausedUntil;

    private static IEnumerable<Fact> Dependencies(OccurrenceFacts facts)
    {
        // What an open one lacks is told with its wait.
        foreach (var one in facts.Arrivals.Where(one => facts.Final is not null || one.At is not null))
            yield return one.At is { } at
                ? Fact(at, "dependency", $"{Upper(Words(one, facts))} was there{(one.By is { Length: > 0 } by ? one.DepType == "kpi" ? $", by the job {by}" : $", published by {by}" : "")}.", one.Reference ?? "")
                : Fact(facts.Final!.RecordedAt, "dependency", $"{Upper(Words(one, facts))} had not come by then.");
    }

    private static IEnumerable<Fact> HeldBy(OccurrenceFacts facts)
    {
        if (facts.HeldBy is { StartedAt: { } started } holder)
            yield return Fact(started, "held", $"{Name(holder)} held the job{(holder.Agent is { } agent ? $" on {agent}" : "")}, until {Text(holder.FinishedAt)}.", Invariant($"run/{holder.RunId}"));
        else if (facts is { Final.Reason: SkipReason.Overlap, Holder: { } open })
            yield return Fact(open.ScheduledFor, "held", $"{new Leases.SlotKey(open.Kind, open.ScheduledFor)} holds the job.");
    }

    private static IEnumerable<Fact> Policy(OccurrenceFacts facts)
    {
        if (facts is { Final.Reason: SkipReason.Superseded or SkipReason.MissedWindow, Job.Schedule: { } schedule })
            yield return Fact(facts.Slot.ScheduledFor, "policy", $"The schedule catches up with {schedule.Catchup} of the slots that were missed, within {Durations.Format(schedule.CatchupWindow)}.");
        if (facts is { Final.Reason: SkipReason.Overlap, Job.Schedule.Overlap: { } overlap })
            yield return Fact(facts.Slot.ScheduledFor, "policy", $"The schedule says overlap: {overlap}.");
    }

    private static IEnumerable<Fact> InItsPlace(OccurrenceFacts facts)
    {
        if (facts.InItsPlace is { } newer)
            yield return Fact(newer.StartedAt ?? newer.FinishedAt, "superseded", $"{Name(newer)} ran in its place.", Invariant($"run/{newer.RunId}"));
    }

    private static IEnumerable<Fact> Contract(OccurrenceFacts facts)
    {
        if (facts.ContractMove is { } move)
            yield return Fact(move.At, "contract", $"The contract {move.Contract} was made {move.Status ?? "another"} by {move.Actor}{Because(move.Reason)}.", $"contract/{move.Contract}");
    }

    private static IEnumerable<Fact> Needs(OccurrenceFacts facts)
    {
        if (facts is { Final.Reason: SkipReason.Unroutable, Job.Run: { } run })
            yield return Fact(facts.Slot.ScheduledFor, "needs",
                $"It needs an agent in {facts.Binding.Region} that serves {facts.Binding.TenantId} and has the connection {run.ConnId}{(run.AgentLabels.Count > 0 ? $" and the labels {string.Join(", ", run.AgentLabels)}" : "")}.");
    }

    private static IEnumerable<Fact> OfTheDate(OccurrenceFacts facts) => facts.OfTheDate.Select(other => Fact(other.FinishedAt ?? other.StartedAt ?? other.ScheduledFor, "also",
        $"The business date ran as {Name(other)} too: {other.Status}.", Invariant($"run/{other.RunId}")));

    private static string Name(OtherRow other) => new Leases.SlotKey(other.Kind, other.ScheduledFor).ToString();

    private static string Words(ArrivalRow one, OccurrenceFacts facts) => one.DepType switch
    {
        "signal" => Invariant($"signal {one.DepValue} for {facts.BusinessDate:yyyy-MM-dd}"),
        "gdp" => Invariant($"gdp {one.DepValue} with data through the end of {facts.BusinessDate:yyyy-MM-dd}"),
        _ => Invariant($"kpi {one.DepValue} for {facts.BusinessDate:yyyy-MM-dd}"),
    };

    private static string Upper(string words) => char.ToUpperInvariant(words[0]) + words[1..];
}
