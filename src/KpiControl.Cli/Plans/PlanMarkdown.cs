using System.Globalization;
using KpiControl.Cli.Commands;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Plans;

/// <summary>A plan as a review comment: one table to see it at a glance, the rest folded away beneath.</summary>
internal sealed class PlanMarkdown(TextWriter to, JobNames names)
{
    public void Write(Plan plan)
    {
        to.WriteLine($"### KPI jobs in `{PlanWords.Where(plan)}`: {PlanWords.Counts(plan)}");
        to.WriteLine();
        var changes = plan.Jobs.Where(PlanWords.IsChange).ToList();
        if (plan.Jobs.Any(job => job.Action == "invalid"))
            WriteFindings(plan);
        if (changes.Count == 0)
            to.WriteLine("Nothing to do.");
        else
            WriteTable(changes);
        foreach (var job in changes)
            WriteDetails(job);
        if (changes.Count > 0 && ReleaseHoursText.Held(plan.HeldBy, plan.ReleasableFrom) is { Length: > 0 } held)
        {
            to.WriteLine();
            to.WriteLine($"**Releases are {Text(held)}.**");
        }
        if (plan.Digest.Length > 0 && changes.Count > 0)
        {
            to.WriteLine();
            to.WriteLine($"Plan `{plan.Digest}`{(plan.NeedsApproval ? "; applying it opens changes, which wait for approval" : "")}.");
        }
    }

    private void WriteFindings(Plan plan)
    {
        to.WriteLine("**This set cannot be applied:**");
        to.WriteLine();
        foreach (var job in plan.Jobs.Where(job => job.Action == "invalid"))
            foreach (var finding in job.Findings.Where(finding => finding.Severity == "error"))
                to.WriteLine(string.Create(CultureInfo.InvariantCulture, $"- {Code(names.FileOf(job))}{(finding.Line > 0 ? $" line {finding.Line}" : "")}: {Text(finding.Message)} {Text(finding.Hint)}").TrimEnd());
        to.WriteLine();
    }

    private void WriteTable(IEnumerable<PlannedJob> changes)
    {
        to.WriteLine("| job | action | breaking | downstream | needs the approval of |");
        to.WriteLine("|---|---|---|---|---|");
        foreach (var job in changes)
            to.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {Code(PlanWords.Name(job, names))} | {job.Action} | {(job.Breaking.Count > 0 ? "**yes**" : "no")} | {(job.DownstreamCount > 0 ? job.DownstreamCount : "–")} | {(job.Required.Count > 0 ? Text(PlanWords.Approvers(job)) : "–")} |"));
    }

    private void WriteDetails(PlannedJob job)
    {
        to.WriteLine();
        to.WriteLine($"<details><summary>{job.Action} {Html(PlanWords.Name(job, names))}</summary>");
        to.WriteLine();
        if (job.BaseEtag.Length > 0 && job.Differences.Count > 0)
        {
            to.WriteLine("| field | before | after |");
            to.WriteLine("|---|---|---|");
            foreach (var difference in job.Differences)
                to.WriteLine($"| {Code(difference.Path)} | {Code(PlanWords.Before(difference))} | {Code(PlanWords.After(difference))} |");
            to.WriteLine();
        }
        List("Breaking", job.Breaking.Select(reason => $"{reason.Message} ({reason.Rule})"));
        List("Fire times", PlanWords.FireTimes(job));
        if (job.ClockChange is { } change)
            List(char.ToUpperInvariant(PlanWords.ClockTitle(change)[0]) + PlanWords.ClockTitle(change)[1..], PlanWords.ClockChange(job));
        List("Promises and alerts", job.Effects.Select(effect => $"{effect.Kind}: {effect.Message}"));
        List("Downstream", job.Downstream.Count > 0 ? [PlanWords.Downstream(job)] : []);
        List("Warnings", job.Findings.Select(finding => $"{finding.Message} {finding.Hint}"));
        List("Notes", job.Notes);
        to.WriteLine("</details>");
    }

    private void List(string title, IEnumerable<string> lines)
    {
        var all = lines.ToList();
        if (all.Count == 0)
            return;
        to.WriteLine($"{title}:");
        to.WriteLine();
        foreach (var line in all)
            to.WriteLine($"- {Text(line)}");
        to.WriteLine();
    }

    // What an author wrote must not become markup of the comment, nor end a cell or a span of code.
    private static string Code(string text) => $"`{Talk.OneLine(text).Replace("`", "'", StringComparison.Ordinal).Replace("|", "\\|", StringComparison.Ordinal)}`";

    private static string Text(string text) =>
        string.Concat(Html(Talk.OneLine(text)).Select(c => c is '|' or '*' or '_' or '`' or '[' or ']' or '\\' or '#' or '@' or '!' ? $"\\{c}" : c.ToString()));

    private static string Html(string text) => System.Net.WebUtility.HtmlEncode(Talk.OneLine(text));
}
