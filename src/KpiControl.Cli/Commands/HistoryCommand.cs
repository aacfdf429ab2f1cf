using System.CommandLine;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class HistoryCommand
{
    private static readonly Option<string?> Status = new("--status")
    { Description = "success, partial, failed, suppressed, cancelled, skipped or lost", HelpName = "STATUS" };
    private static readonly Option<string?> Filter = new("--filter", "-l")
    { Description = "Terms joined by AND over status, trigger_kind, business_date", HelpName = "FILTER" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most so many, the newest", HelpName = "N", DefaultValueFactory = _ => 20 };
    private static readonly Argument<string> Job = JobAddress.Argument();

    static HistoryCommand() => Status.AcceptOnlyFromAmong("success", "partial", "failed", "suppressed", "cancelled", "skipped", "lost");

    public static Option[] ListOptions => [Status, Filter, SharedOptions.BusinessDate, Limit];

    public static Command Create() =>
        new Command("history", "List a job's runs, and the slots that did not run, newest first") { Job }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment).With(ListOptions).With(SharedOptions.Output)
            .Does(session => List(session, session.Value(Job)));

    /// <summary>Null: the runs of every job that the caller may see.</summary>
    public static async Task<int> List(Session session, string? job)
    {
        var address = job is null ? null : JobAddress.Parse(job, session.Target);
        var all = new ListRunsResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Jobs.ListRunsAsync(Request(session, address, size, token), session.Call);
            all.Runs.AddRange(page.Runs);
            all.NextPageToken = page.NextPageToken;
            return (page.Runs.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => Print(session, address, all.Runs), () => all.Runs.Select(RunAddress.Name));
        if (session.Answer.ForPeople && FilterOf(session).Length == 0)
            await OpenOccurrences.Say(session, address, all.Runs.Count);
        return ExitCode.Done;
    }

    private static ListRunsRequest Request(Session session, JobAddress? job, int size, string token) => new()
    {
        BindingId = job?.BindingId ?? 0, JobId = job?.JobId ?? "",
        Tenant = job is null ? session.Target.Tenant ?? "" : job.Tenant,
        Environment = job is null ? session.Target.Environment ?? "" : job.Environment,
        Filter = FilterOf(session), PageSize = size, PageToken = token,
    };

    private static string FilterOf(Session session) => string.Join(" AND ", Terms(session));

    private static IEnumerable<string> Terms(Session session)
    {
        if (session.Value(Status) is { } status)
            yield return $"status = {status}";
        if (session.Value(SharedOptions.BusinessDate) is { } date)
            yield return $"business_date = \"{date}\"";
        if (session.Value(Filter) is { } filter)
            yield return filter;
    }

    private static void Print(Session session, JobAddress? job, IReadOnlyCollection<Run> runs)
    {
        if (runs.Count > 0)
            RunTable.Print(session.World, runs, session.Answer.Wide);
        else if (FilterOf(session) is { Length: > 0 } filter)
            session.World.Error.WriteLine($"no runs match {filter}");
    }
}
