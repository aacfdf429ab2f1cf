using KpiControl.Cli.Commands;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Plans;

/// <summary>A plan on a terminal.</summary>
internal sealed class PlanText(Surroundings world, JobNames names)
{
    public void Print(Plan plan)
    {
        // Of what stays as it is, only what there is to know.
        foreach (var job in plan.Jobs.Where(job => PlanWords.IsChange(job) || job is { Action: "unchanged", Notes.Count: > 0 }))
            Print(job);
        world.Out.WriteLine($"{PlanWords.Where(plan)}: {PlanWords.Counts(plan)}{(plan.NeedsApproval && plan.Jobs.Any(PlanWords.IsChange) ? "; applying opens changes, which wait for approval" : "")}");
        if (plan.Jobs.Any(PlanWords.IsChange) && ReleaseHoursText.Held(plan.HeldBy, plan.ReleasableFrom) is { Length: > 0 } held)
            world.Out.WriteLine($"releases are {held}");
        if (plan.Digest.Length > 0)
            world.Out.WriteLine($"digest {plan.Digest}");
    }

    /// <summary>What differs and nothing else.</summary>
    public void PrintDifferences(Plan plan)
    {
        foreach (var job in plan.Jobs.Where(PlanWords.IsChange))
        {
            world.Out.WriteLine(Title(job));
            Differences(job);
        }
    }

    private void Print(PlannedJob job)
    {
        world.Out.WriteLine(Title(job) + (job.Breaking.Count > 0 ? "  BREAKING" : ""));
        // Of a new job everything is new: its file says it better.
        if (job.BaseEtag.Length > 0)
            Differences(job);
        Section("breaking", job.Breaking.Select(reason => $"{reason.Message} [{reason.Rule}]"));
        Section("fire times", PlanWords.FireTimes(job));
        if (job.ClockChange is { } change)
            Section(PlanWords.ClockTitle(change), PlanWords.ClockChange(job));
        Section("promises and alerts", job.Effects.Select(effect => $"{effect.Kind}: {effect.Message}"));
        Section("downstream", job.Downstream.Count > 0 ? [PlanWords.Downstream(job)] : []);
        Section("needs the approval of", job.Required.Count > 0 ? [PlanWords.Approvers(job)] : []);
        Section("note", job.Notes);
        world.Out.WriteLine();
    }

    private string Title(PlannedJob job) =>
        Talk.OneLine($"{Sign(job.Action)} {job.Action} {PlanWords.Name(job, names)} in {job.Region}{(job.BaseEtag.Length > 0 ? $" ({job.BaseEtag})" : "")}");

    private static char Sign(string action) => action switch { "create" => '+', "remove" => '-', "pause" => '|', "unchanged" => '=', _ => '~' };

    private void Differences(PlannedJob job)
    {
        if (job.Differences.Count == 0)
            return;
        var table = new TextTable("", "", "", "");
        foreach (var difference in job.Differences)
            table.Row(difference.Path, PlanWords.Before(difference), "→", PlanWords.After(difference));
        table.WriteTo(world, "    ");
    }

    private void Section(string title, IEnumerable<string> lines)
    {
        var all = lines.Select(Talk.OneLine).ToList();
        if (all is [var only])
            world.Out.WriteLine($"    {title}: {only}");
        else if (all.Count > 0)
        {
            world.Out.WriteLine($"    {title}:");
            foreach (var line in all)
                world.Out.WriteLine($"      {line}");
        }
    }
}
