using System.Globalization;
using KpiControl.Jobs.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Leases;

/// <summary>A GDP table that a run built: its refresh is published in the transaction that records the run.</summary>
/// <param name="DataThrough">Everything before this instant is in the table.</param>
/// <param name="ChangedFrom">Rows of a window in the past were built anew: where it begins.</param>
/// <param name="Run">Names the run, and makes the publish idempotent: <c>run/18</c>.</param>
internal sealed record BuiltTable(
    string Tenant, string Environment, string Region, string Dataset, DateTimeOffset DataThrough, DateTimeOffset? ChangedFrom, string Run, string Version, string By)
{
    /// <summary>Of a report: what the lease was for, whatever else it names. Each attempt that was recorded publishes, also one that failed later: the table is as it built it.</summary>
    public static IReadOnlyList<BuiltTable> Of(Report report, GrantedAttempt held)
    {
        var plan = held.Plan;
        if (plan.Stages.IsDryRun || !plan.Stages.Has(RunStages.Gdp) || held.Kind == OccurrenceKind.Restatement)
            return [];
        return [.. report.Finished.Stages.Where(stage => stage is { Stage: RunStages.Gdp, Status: "succeeded" } && plan.Tables.Contains(stage.Dataset))
            .DistinctBy(stage => stage.Dataset).Select(stage => Of(report, held, stage)).OfType<BuiltTable>()];
    }

    private static BuiltTable? Of(Report report, GrantedAttempt held, StageEvent stage)
    {
        if (Day(stage.DataUntil) is not { } until)
            return null;
        var (plan, last) = (held.Plan, until.AddDays(-1));
        // A row of the month that is still going on says nothing of its end: no further than the day that the run was for.
        var through = plan.Schedule.EndOf(last < held.BusinessDate ? last : held.BusinessDate);
        var from = Day(stage.ChangedFrom) is { } first ? plan.Schedule.EndOf(first.AddDays(-1)) : (DateTimeOffset?)null;
        return new BuiltTable(plan.Tenant, plan.Environment, plan.Region, stage.Dataset, through, from < through ? from : null,
            $"run/{report.Finished.Fence.Number.ToString(CultureInfo.InvariantCulture)}", Clean(stage.Version), report.Session.Opening.Agent);
    }

    // Years that a zone can count; anything else is nobody's day.
    private static DateOnly? Day(string text) =>
        DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day) && day.Year is > 1000 and < 9000 ? day : null;

    private static string Clean(string version) => (version.Length > 200 ? version[..200] : version).Replace('\0', '\ufffd');
}
