using System.CommandLine;
using Grpc.Core;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class LineageCommand
{
    private static readonly Argument<string?> Subject = new("KPI|JOB|run/ID")
    {
        Description = "A KPI (kpi_id or kpi_id@contract_version), a job as in get (of both names the job), or a run", Arity = ArgumentArity.ZeroOrOne,
    };
    private static readonly Option<string?> Run = new("--run") { Description = "A run by its number, run/ID or attempt id", HelpName = "RUN" };
    private static readonly Option<string?> Table = new("--table") { Description = "A table, for what it touches", HelpName = "NAME" };
    private static readonly Option<string?> Signal = new("--signal") { Description = "A signal, for what it touches", HelpName = "NAME" };
    private static readonly Option<bool> Up = new("--up") { Description = "To its sources; of a job or KPI, those of its last good run [default but of a table or signal]" };
    private static readonly Option<bool> Down = new("--down") { Description = "To whatever declares it or took it" };
    private static readonly Option<int> Depth = new("--depth") { Description = "At most so many steps [default: 10, at most 50]", HelpName = "N" };
    private static readonly Option<int> Nodes = new("--nodes") { Description = "At most so many nodes [default: 500, at most 2000]", HelpName = "N" };

    private static readonly Argument<long?> Event = new("EVENT") { Description = "The event's number, as kpictl lineage dead shows it", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<bool> All = new("--all") { Description = "All of the tenant and environment that were given up" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most so many", HelpName = "N", DefaultValueFactory = _ => 50 };

    public static Command Create()
    {
        var command = Graph();
        command.Add(new Command("dead", "Lineage events that no receiver took for so long that they were given up")
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Limit, SharedOptions.Output).Does(Dead));
        command.Add(new Command("resend", "Send a lineage event that was given up again, or all") { Event }
            .Online().With(All, SharedOptions.Tenant, SharedOptions.Environment, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Resend));
        return command;
    }

    private static Command Graph() =>
        new Command("lineage", "Where a number comes from, and what a table, a KPI or a run goes into") { Subject }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Run, Table, Signal, Up, Down, Depth, Nodes, SharedOptions.Output)
            .Does(Show);

    private static async Task<int> Show(Session session)
    {
        var graph = await Ask(session);
        session.Answer.Print(graph, () => LineageTree.Print(session.World, graph, session.Answer.Wide), () => graph.Nodes.Select(node => node.Id));
        return ExitCode.Done;
    }

    private static async Task<int> Dead(Session session)
    {
        var all = new ListDeadEventsResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Lineage.ListDeadEventsAsync(new ListDeadEventsRequest
            {
                Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", PageSize = size, PageToken = token,
            }, session.Call);
            all.Events.AddRange(page.Events);
            all.NextPageToken = page.NextPageToken;
            return (page.Events.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => LineageEventPage.Print(session, all.Events), () => all.Events.Select(one => $"{one.EventId}"));
        return ExitCode.Done;
    }

    private static async Task<int> Resend(Session session)
    {
        if (session.Value(Event) is null == !session.Value(All))
            throw new Refusal("say which lineage event is sent again", "kpictl lineage resend EVENT, or --all", ExitCode.UsageOrCancelled);
        var dryRun = session.Value(SharedOptions.DryRun);
        var answer = await session.Lineage.ResendEventsAsync(new ResendEventsRequest
        {
            EventId = session.Value(Event) ?? 0, Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", Reason = session.Value(SharedOptions.Reason) ?? "",
            ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        session.Answer.Print(answer, () => session.World.Out.WriteLine($"{answer.Events} lineage event{(answer.Events == 1 ? " is" : "s are")} sent again{(dryRun ? " (dry run: nothing was changed)" : "")}"), () => [$"{answer.Events}"]);
        return ExitCode.Done;
    }

    private static async Task<LineageGraph> Ask(Session session)
    {
        var request = Request(session);
        if (session.Value(Subject) is not { } subject)
            return await session.Jobs.GetLineageAsync(request, session.Call);
        if ((RunAddress.Of(subject) is { } run ? OfRun(request, run) : OfVersion(request, subject)) is { } known)
            return await session.Jobs.GetLineageAsync(known, session.Call);
        try
        {
            return await session.Jobs.GetLineageAsync(OfJob(request, JobAddress.Parse(subject, session.Target)), session.Call);
        }
        catch (RpcException absent) when (absent.StatusCode == StatusCode.NotFound && !subject.Contains('/', StringComparison.Ordinal))
        {
            return await OfKpi(session, request, subject);
        }
    }

    private static async Task<LineageGraph> OfKpi(Session session, GetLineageRequest request, string kpi)
    {
        var asked = request.Clone();
        asked.KpiId = kpi;
        try
        {
            return await session.Jobs.GetLineageAsync(asked, session.Call);
        }
        catch (RpcException absent) when (absent.StatusCode == StatusCode.NotFound)
        {
            throw new Refusal($"there is no job and no KPI {kpi} in {session.Target.Environment ?? "dev"}", $"kpictl get; a table: kpictl lineage --table {kpi}; another environment: --env", ExitCode.Failed);
        }
    }

    private static GetLineageRequest Request(Session session)
    {
        var subjects = new[] { session.Value(Subject), session.Value(Run), session.Value(Table), session.Value(Signal) }.Count(given => given is not null);
        if (subjects != 1)
            throw new Refusal(subjects == 0 ? "lineage of what?" : "one subject at a time", "give a KPI, a job or run/ID; or --run, --table or --signal");
        if (session.Value(Up) && session.Value(Down))
            throw new Refusal("--up and --down are two directions", "give one, and ask twice");
        var request = new GetLineageRequest
        {
            Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", Dataset = session.Value(Table) ?? "", Signal = session.Value(Signal) ?? "",
            Direction = session.Value(Up) ? "up" : session.Value(Down) ? "down" : "", MaxDepth = session.Value(Depth), MaxNodes = session.Value(Nodes),
        };
        return session.Value(Run) is not { } run ? request
            : OfRun(request, RunAddress.Of(run) ?? RunAddress.Number(run) ?? throw new Refusal($"'{run}' names no run", "give the number that kpictl runs shows"));
    }

    private static GetLineageRequest OfRun(GetLineageRequest request, GetRunRequest run)
    {
        (request.RunId, request.AttemptId) = (run.RunId, run.AttemptId);
        return request;
    }

    // No job_id has an @.
    private static GetLineageRequest? OfVersion(GetLineageRequest request, string subject)
    {
        if (subject.Split('@') is not [{ Length: > 0 } kpi, { Length: > 0 } version])
            return null;
        (request.KpiId, request.ContractVersion) = (kpi, version);
        return request;
    }

    private static GetLineageRequest OfJob(GetLineageRequest request, JobAddress job)
    {
        var asked = request.Clone();
        (asked.BindingId, asked.Tenant, asked.Environment, asked.JobId) = (job.BindingId, job.Tenant, job.Environment, job.JobId);
        return asked;
    }
}
