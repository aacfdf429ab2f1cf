using KpiControl.Cli.Jobs;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Runs;

/// <summary>What is under way and has no run to show yet: said beside a list of runs, which holds only what was recorded.</summary>
internal static class OpenOccurrences
{
    /// <param name="session">Whom to ask, and where to say it.</param>
    /// <param name="address">Null: every job that the caller may see, looked through only where nothing has run.</param>
    /// <param name="runs">How many runs were listed.</param>
    public static async Task Say(Session session, JobAddress? address, int runs)
    {
        session.World.Out.Flush();
        var open = address is null && runs > 0 ? [] : await Jobs(session, address);
        foreach (var job in open)
            session.World.Error.WriteLine(Talk.OneLine(Line(job)));
        if (runs == 0 && open.Count == 0)
            session.World.Error.WriteLine(address is null ? "no runs yet, and nothing is open" : $"no runs of {address} yet; start one with: kpictl trigger {address} --wait");
    }

    private static async Task<IReadOnlyList<Job>> Jobs(Session session, JobAddress? address)
    {
        if (address is not null)
            return [.. new[] { await session.Jobs.GetJobAsync(address.Get(), session.Call) }.Where(job => job.Occurrence is not null)];
        var jobs = await session.Jobs.ListJobsAsync(
            new ListJobsRequest { Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", PageSize = 1000 }, session.Call);
        return [.. jobs.Jobs.Where(job => job.Occurrence is not null)];
    }

    private static string Line(Job job)
    {
        var (name, open) = (JobAddress.NameOf(job), job.Occurrence);
        var behind = job.Queued > 0 && open.State != "queued" ? $", {job.Queued} queued behind it" : "";
        var beside = job.Beside.Count > 0 ? $", {job.Beside.Count} beside it" : "";
        return $"open: {name} {open.SlotKey} for {open.BusinessDate}, {JobState.Of(open)}{beside}{behind}; kpictl explain {name}";
    }
}
