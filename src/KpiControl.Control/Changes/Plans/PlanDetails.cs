using System.Globalization;
using System.Text.RegularExpressions;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Authoring;
using KpiControl.Control.Catalog;
using KpiControl.Control.Overrides;
using KpiControl.Control.Requests;
using KpiControl.Control.Tenants;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Plans;
using KpiControl.Jobs.Schedules;
using KpiControl.Protocol.V1;
using BreakingReason = KpiControl.Jobs.Plans.BreakingReason;
using PromiseEffect = KpiControl.Jobs.Plans.PromiseEffect;

namespace KpiControl.Control.Changes.Plans;

/// <summary>A plan as people and programs read it: what each line means for schedules, promises, dependents and approvers. Pure.</summary>
internal sealed partial class PlanDetails
{
    private const int MostDownstream = 50;

    private readonly JobsPlan plan;
    private readonly DateTimeOffset now;
    private readonly Dictionary<(string Region, KpiReference Kpi), int> computers;
    private readonly Dictionary<string, ILookup<KpiReference, KpiReference>> dependents = [];

    private PlanDetails(JobsPlan plan, Dictionary<(string Region, KpiReference Kpi), int> computers, DateTimeOffset now)
    {
        (this.plan, this.now) = (plan, now);
        // Who computes a KPI once all of the plan is in force.
        this.computers = new(computers);
        foreach (var line in plan.Lines)
        {
            var (was, becomes) = (line.Bound is { Binding.ActiveFlag: true } bound ? bound.Kpi : null, line.WillRun && line.Action != PlanAction.Unchanged ? KpiOf(line) : null);
            if (!line.TouchesForce || was == becomes)
                continue;
            Count(line.Region, was, -1);
            Count(line.Region, becomes, 1);
        }
    }

    /// <param name="computers">How many scheduled jobs of a region compute what the lines compute now.</param>
    public static Plan ToProto(JobsPlan plan, Dictionary<(string Region, KpiReference Kpi), int> computers, DateTimeOffset now)
    {
        var answer = new Plan
        {
            Digest = plan.Digest, Tenant = plan.Ask.Tenant, Environment = plan.Ask.Environment, Source = plan.Ask.Source, Prune = plan.Ask.Prune.Word(),
            PolicyVersion = plan.Facts.Placement.PolicyVersion, NeedsApproval = plan.NeedsApproval, PlannedAt = now.ToTimestamp(),
        };
        var placement = plan.Facts.Placement;
        if (ReleaseHours.Of(placement.ReleaseWindows, placement.Freezes).HoldAt(now) is { } hold)
            (answer.HeldBy, answer.ReleasableFrom) = (hold.By, hold.Until?.ToTimestamp());
        foreach (var action in System.Enum.GetValues<PlanAction>())
            answer.Counts[action.Word()] = plan.Lines.Count(line => line.Action == action);
        var details = new PlanDetails(plan, computers, now);
        answer.Jobs.AddRange(plan.Lines.Select(details.Of));
        return answer;
    }

    private PlannedJob Of(PlanLine line)
    {
        var answer = new PlannedJob
        {
            Artifact = line.Artifact, JobId = line.JobId, Region = line.Region, BindingId = line.Bound?.Binding.BindingId ?? 0, Action = line.Action.Word(),
            BaseEtag = line.Bound?.Binding.Etag ?? "", BaseContentHash = line.Bound?.Binding.ContentHash ?? "", ContentHash = line.Job?.Reading.ContentHash ?? "",
            ContractDigest = line.Job?.ContractDigest ?? "", LastChangeId = line.Bound?.LastChangeId ?? 0, CalendarVersion = line.Job?.Calendar?.Version ?? 0,
        };
        answer.Findings.AddRange(line.Job?.Findings.Select(finding => finding.ToProto()) ?? []);
        answer.Notes.AddRange(Notes(line));
        if (line.Action is PlanAction.Invalid or PlanAction.Unchanged)
            return answer;
        answer.Differences.AddRange(Differences(line).Select(d => new FieldChange { Path = d.Path, Before = d.Before ?? "", After = d.After ?? "" }));
        if (!line.TouchesForce)
            return answer;
        answer.Breaking.AddRange(Breaking(line).Select(reason => reason.ToProto()));
        answer.Effects.AddRange(Effects(line).Select(effect => new Protocol.V1.PromiseEffect { Kind = effect.Kind, Path = effect.Path, Message = effect.Message }));
        if (plan.NeedsApproval)
            answer.Required.AddRange(Needs(line).Select(need => new RequiredApproval { Capacity = need.Capacity, Principal = need.Principal }));
        AddDownstream(line, answer);
        AddFireTimes(line, answer);
        return answer;
    }

    private static IEnumerable<FieldDifference> Differences(PlanLine line)
    {
        var was = line.Bound is { Binding.IsUnreleased: false } bound ? bound : null;
        if (line.Job is { } job)
            foreach (var difference in ArtifactDiff.Between(was?.CanonicalJson, job.Reading.CanonicalJson!).Where(d => was is null || !was.Binding.ScheduleOverridden || !IsSchedule(d.Path)))
                yield return difference;
        if (was is null)
            yield break;
        // What stands over the definition's schedule is what is in force.
        if (line is { ResetsSchedule: true, Job: { } next })
        {
            var (cron, zone) = (BoundJob.Cron(next.Job), next.Job.Schedule.Timezone);
            if (cron != was.Binding.ScheduleCron)
                yield return new FieldDifference("/schedule/expression", Json(was.Binding.ScheduleCron), Json(cron));
            if (zone != was.Binding.Timezone)
                yield return new FieldDifference("/schedule/timezone", Json(was.Binding.Timezone), Json(zone));
        }
        if (line.Action == PlanAction.Remove)
            yield return new FieldDifference("/active_flag", "true", "false");
        if (line.Returns)
            yield return new FieldDifference("/active_flag", "false", "true");
    }

    private static bool IsSchedule(string path) => path is "/schedule/expression" or "/schedule/timezone";

    private static string Json(string text) => Jcs.Write(text);

    private IEnumerable<BreakingReason> Breaking(PlanLine line)
    {
        if (line.Bound is not { Binding.ActiveFlag: true } was)
            return [];
        var left = KpiOf(line) is { } kpi && kpi == was.Kpi ? [] : BreakingRules.Orphans(was.Kpi, Computes(line.Region, was.Kpi) ? [] : [.. Dependents(line.Region)[was.Kpi]]);
        return line.Job is null ? left
            : [.. BreakingRules.Between(was.Job, line.Job.Job, plan.Facts.ContractOf(was.Job)?.Contract, line.Job.Contract), .. left];
    }

    private static IReadOnlyList<PromiseEffect> Effects(PlanLine line) =>
        PromiseEffects.Between(line.Bound is { Binding.ActiveFlag: true } was ? was.Job : null, line.WillRun ? line.Job?.Job : null);

    private IReadOnlyList<ApprovalNeed> Needs(PlanLine line)
    {
        var bound = line.Bound is { Binding.IsUnreleased: false } was ? was.Job : null;
        var (next, contract) = line.Job is { } job ? (job.Job, job.Contract!) : (bound!, plan.Facts.ContractOf(bound!)!.Contract);
        return line.Action == PlanAction.Pause ? [] : Approvals.Needed(bound, bound is null ? null : plan.Facts.ContractOf(bound)?.Contract, next, contract);
    }

    private void AddDownstream(PlanLine line, PlannedJob answer)
    {
        var (seen, next) = (new HashSet<KpiReference>(), new Queue<KpiReference>(new[] { line.Bound?.Kpi, KpiOf(line) }.OfType<KpiReference>().Distinct()));
        var own = next.ToHashSet();
        while (next.TryDequeue(out var kpi))
            foreach (var dependent in Dependents(line.Region)[kpi].Where(dependent => !own.Contains(dependent) && seen.Add(dependent)))
            {
                next.Enqueue(dependent);
                if (answer.Downstream.Count < MostDownstream)
                    answer.Downstream.Add(dependent.ToString());
            }
        answer.DownstreamCount = seen.Count;
    }

    private void AddFireTimes(PlanLine line, PlannedJob answer)
    {
        var (spec, was) = (line.WillRun ? line.Job?.Job.Schedule : null, line.Bound?.Schedule);
        var (standing, left) = Standing(line);
        if (spec is not null && was is not null && spec.HasSlotsOf(was) && !left.Any(one => one.Over.Kind == OverrideKind.Schedule))
            return;
        var (id, calendar) = (line.Bound?.Binding.BindingId ?? 0, line.Job?.Calendar?.Understand());
        var own = spec is null ? null : BoundJob.Schedule(spec, id, calendar);
        var (before, after) = (was is null ? null : BoundJob.Schedule(line.Bound!.Job, line.Bound.Binding), spec is null ? null : new OverrideList(standing).Schedule(spec, one => BoundJob.Schedule(one, id, calendar)));
        answer.FireTimes.AddRange(FireTimes.Next(before, after, now).Select(ToProto));
        answer.PlacedWhenBound = id == 0 && spec is { Type: "cron" } && (spec.Spread is not null || Hashed().IsMatch(spec.Expression));
        if (Jobs.Plans.ClockChange.Next((spec ?? was)!.Timezone, now) is { } change)
            answer.ClockChange = ToProto(change, FireTimes.Around(before, after, change.At), own is null ? [] : change.EffectsOn(own, spec!, id.ToString(CultureInfo.InvariantCulture), calendar));
    }

    /// <summary>What stands over the definition that is bound: what stays over the next one, and what ends with it and why.</summary>
    private (IReadOnlyList<StandingOverride> Stay, IReadOnlyList<(StandingOverride Over, string Why)> End) Standing(PlanLine line)
    {
        var all = line.Bound?.Binding.Overrides.At(now) ?? [];
        if (line.Job is not { Reading.CanonicalJson: { } canonical } job || line.Action == PlanAction.Unchanged)
            return (all, []);
        var ends = all.Select(over => (Over: over, Why: OverrideValue.Obsolete(over, job.Job, canonical, job.Calendar?.Understand()))).Where(one => one.Why is not null).ToList();
        return ([.. all.Except(ends.Select(one => one.Over))], [.. ends.Select(one => (one.Over, one.Why!))]);
    }

    private IEnumerable<string> StandingNotes(PlanLine line)
    {
        var (stay, end) = Standing(line);
        foreach (var over in stay)
            yield return FormattableString.Invariant($"its {over.Kind} is overridden ({over.Value}) until {over.ExpiresAt.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}, and stays so until then");
        foreach (var (over, why) in end)
            yield return $"the override of its {over.Kind} ({over.Value}) ends: {why}";
    }

    private IEnumerable<string> Notes(PlanLine line)
    {
        if (line.Bound is not { } bound)
            yield break;
        if (bound.IsPaused && line.Action is not (PlanAction.Remove or PlanAction.Pause))
            yield return "it is paused, and stays so until somebody resumes it";
        foreach (var note in line.Action is PlanAction.Remove or PlanAction.Invalid ? [] : StandingNotes(line))
            yield return note;
        if (bound.Binding is { ActiveFlag: false, IsUnreleased: false, PrunedAt: null })
            yield return "somebody made it inactive (active_flag), and it stays so";
        if (bound.Open is { } open)
            yield return string.Create(CultureInfo.InvariantCulture, $"change {open.ChangeId}{(open.Removes ? ", which takes it away," : "")} waits for approval{(WouldEnd(line, open) ? ", and would be superseded" : "")}");
        if (line.Action == PlanAction.Update && line.Bound.Binding.Source != (plan.Ask.Source.Length > 0 ? plan.Ask.Source : line.Bound.Binding.Source))
            yield return $"it becomes {plan.Ask.Source}'s";
    }

    // What the set has as it is bound leaves somebody's proposal alone, unless that takes the job away.
    private static bool WouldEnd(PlanLine line, ChangeState open) =>
        open.Removes ? line.Job is not null : line.TouchesForce && open.ContentHash != line.Job?.Reading.ContentHash;

    private ILookup<KpiReference, KpiReference> Dependents(string region) =>
        dependents.TryGetValue(region, out var known) ? known : dependents[region] = plan.Facts.GraphOf(region).Dependents();

    private bool Computes(string region, KpiReference kpi) => computers.GetValueOrDefault((region, kpi)) > 0;

    private void Count(string region, KpiReference? kpi, int by)
    {
        if (kpi is not null)
            computers[(region, kpi)] = computers.GetValueOrDefault((region, kpi)) + by;
    }

    private static KpiReference? KpiOf(PlanLine line) => line.Job is { } job ? new(job.Job.KpiId, job.Job.ContractVersion) : null;

    private static PlannedFireTime ToProto(Jobs.Plans.FireTime time) => new() { Kind = time.Kind, Before = time.Before?.ToTimestamp(), After = time.After?.ToTimestamp() };

    private static Protocol.V1.ClockChange ToProto(Jobs.Plans.ClockChange change, IEnumerable<Jobs.Plans.FireTime> around, IEnumerable<Jobs.Plans.ClockEffect> effects)
    {
        var answer = new Protocol.V1.ClockChange { At = change.At.ToTimestamp(), Timezone = change.Timezone, OffsetBefore = Offset(change.Before), OffsetAfter = Offset(change.After) };
        answer.FireTimes.AddRange(around.Select(ToProto));
        answer.Effects.AddRange(effects.Select(effect => new Protocol.V1.ClockEffect { Kind = effect.Kind, Without = Local(effect.Without), With = Local(effect.With) }));
        return answer;
    }

    private static string Offset(TimeSpan offset) => (offset < TimeSpan.Zero ? "-" : "+") + offset.ToString(@"hh\:mm", CultureInfo.InvariantCulture);

    private static string Local(DateTime? time) => time?.ToString("s", CultureInfo.InvariantCulture) ?? "";

    // A field that is, or begins with, H: THU is a name.
    [GeneratedRegex(@"(^|[\s,])H([\s,/(]|$)", RegexOptions.CultureInvariant)]
    private static partial Regex Hashed();
}
