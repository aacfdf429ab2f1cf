using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Jobs;

/// <summary>Jobs in rows: the audit surface first.</summary>
internal static class JobTable
{
    public static void Print(Surroundings world, IReadOnlyCollection<Job> jobs, bool wide)
    {
        var table = wide ? Wide(jobs) : Narrow(jobs, world.Clock.GetUtcNow());
        table.WriteTo(world);
    }

    private static TextTable Narrow(IReadOnlyCollection<Job> jobs, DateTimeOffset now)
    {
        var manyTenants = jobs.Select(job => job.Tenant).Distinct().Count() > 1;
        var table = new TextTable("JOB", "ENV", "REGION", "KPI_ID", "CONTRACT_VERSION", "CONTENT_HASH", "SCHEDULE_CRON", "LAST_RUN", "NEXT_RUN", "STATE", "DRIFT");
        foreach (var job in jobs)
            table.Row(manyTenants ? $"{job.Tenant}/{job.JobId}" : job.JobId, job.Environment, job.Region, job.KpiId, job.ContractVersion,
                ShortHash(job.ContentHash), Schedule(job), LastRun(job, now), JobState.IsHeld(job) ? "- (paused)" : Ages.Relative(job.NextRunAt, now), State(job), Drift(job));
        return table;
    }

    private static TextTable Wide(IReadOnlyCollection<Job> jobs)
    {
        var table = new TextTable("BINDING", "TENANT", "ENV", "REGION", "JOB", "KPI_ID", "CONTRACT_VERSION", "CONTENT_HASH", "SCHEDULE_CRON", "TIMEZONE",
            "LAST_RUN", "LAST_STATUS", "NEXT_RUN", "STATE", "PAUSED_UNTIL", "RETRIES", "DEF", "STORE", "DRIFT").Numeric(0, 15, 16);
        foreach (var job in jobs)
            table.Row(job.BindingId, job.Tenant, job.Environment, job.Region, job.JobId, job.KpiId, job.ContractVersion, job.ContentHash,
                Schedule(job), job.Timezone, Ages.Absolute(job.LastRunAt), Cell.Status(Dash(job.LastStatus)), JobState.IsHeld(job) ? "- (paused)" : Ages.Absolute(job.NextRunAt),
                State(job), Ages.Absolute(job.PausedUntil), job.RetryCount, job.DefId, Dash(job.Drift?.Store ?? ""), Drift(job));
        return table;
    }

    public static string ShortHash(string hash) => hash.Length > 19 ? hash[..19] : hash;

    public static string Schedule(Job job) => job.ScheduleCron.Length == 0 ? "-" : job.ScheduleOverridden ? job.ScheduleCron + " (overridden)" : job.ScheduleCron;

    // The schedule's stands in its column, a pause is the state itself.
    private static Cell State(Job job) =>
        JobState.Word(job) is var word && job.Overrides.Where(one => one.Kind is not ("schedule" or "tweak" or "pause")).Select(one => one.Kind).ToArray() is { Length: > 0 } kinds
            ? new Cell($"{word.Text} (overridden: {string.Join(", ", kinds)})", word.Style) : word;

    private static Cell Drift(Job job) => job.Drift is { } drift ? Cell.Status(drift.State) : "-";

    public static string Dash(string text) => text.Length == 0 ? "-" : text;

    private static Cell LastRun(Job job, DateTimeOffset now) => job.LastRunAt is null
        ? "-"
        : new Cell($"{Ages.Relative(job.LastRunAt, now)} {job.LastStatus}".TrimEnd(), Cell.Status(job.LastStatus).Style);
}
