using System.CommandLine;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class GetCommand
{
    private static readonly Argument<string?> Job = new("JOB")
    { Description = "job_id, tenant/env/job_id, or the binding's number; all jobs when absent", Arity = ArgumentArity.ZeroOrOne };

    private static readonly Option<string?> Region = new("--region") { Description = "Only of this region", HelpName = "REGION" };
    private static readonly Option<string?> Filter = new("--filter", "-l")
    { Description = "Terms joined by AND, such as last_status=failed AND job_id=dso*", HelpName = "FILTER" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most so many", HelpName = "N", DefaultValueFactory = _ => 1000 };
    private static readonly Option<bool> Artifact = new("--artifact") { Description = "Print JOB's artifact as it was written" };

    public static Command Create() =>
        new Command("get", "List jobs, or show one, with their audit surface") { Job }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Region, Filter, Limit, Artifact, SharedOptions.Output)
            .Does(session => session.Value(Job) is { } job ? One(session, job) : List(session));

    private static async Task<int> One(Session session, string name)
    {
        var job = await session.Jobs.GetJobAsync(JobAddress.Parse(name, session.Target).Get(), session.Call);
        if (session.Value(Artifact))
            session.World.Out.Write(job.Content.EndsWith('\n') ? job.Content : job.Content + "\n");
        else
            session.Answer.Print(job, () => JobTable.Print(session.World, [job], session.Answer.Wide), () => [JobAddress.NameOf(job)]);
        return ExitCode.Done;
    }

    private static async Task<int> List(Session session)
    {
        if (session.Value(Artifact))
            throw new Refusal("--artifact is of one job", "name the job: kpictl get JOB --artifact");
        var all = new ListJobsResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Jobs.ListJobsAsync(Request(session, size, token), session.Call);
            all.Jobs.AddRange(page.Jobs);
            all.NextPageToken = page.NextPageToken;
            return (page.Jobs.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => Print(session, all.Jobs), () => all.Jobs.Select(JobAddress.NameOf));
        return ExitCode.Done;
    }

    private static ListJobsRequest Request(Session session, int size, string token) => new()
    {
        Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", Region = session.Value(Region) ?? "",
        Filter = session.Value(Filter) ?? "", PageSize = size, PageToken = token,
    };

    private static void Print(Session session, IReadOnlyCollection<Job> jobs)
    {
        if (jobs.Count > 0)
            JobTable.Print(session.World, jobs, session.Answer.Wide);
        else if (session.Value(Filter) is { } filter)
            session.World.Error.WriteLine($"no jobs{Place(session)} match {filter}");
        else
            session.World.Error.WriteLine($"no jobs{Place(session)}; apply one with: kpictl apply job.yaml");
    }

    private static string Place(Session session) => (session.Target.Tenant, session.Target.Environment) switch
    {
        (null, null) => "",
        (null, var environment) => $" in {environment}",
        (var tenant, null) => $" in {tenant}",
        var (tenant, environment) => $" in {tenant}/{environment}",
    };
}
