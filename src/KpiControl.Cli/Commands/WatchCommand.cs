using System.CommandLine;
using Grpc.Core;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Cli.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class WatchCommand
{
    private static readonly Argument<string?> Job = new("JOB")
    { Description = "As in get; absent: everything that you may see", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Cursor = new("--since")
    { Description = "Begin after this event's cursor; absent: now", HelpName = "CURSOR" };

    // A deadline on every call, this one too: a stream that lost its server silently is opened anew from its cursor.
    private static readonly TimeSpan StreamLife = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan ReconnectPause = TimeSpan.FromSeconds(1);
    private const int MostReconnects = 30;

    public static Command Create() =>
        new Command("watch", "What happens to a job, or to all, as it happens; ends with Ctrl-C") { Job }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Cursor, SharedOptions.Output)
            .Does(Watch);

    private static async Task<int> Watch(Session session)
    {
        var request = Request(session);
        for (var failures = 0; ; failures++)
        {
            try
            {
                await foreach (var happened in session.Jobs.WatchJobs(request, session.CallWithin(StreamLife)).ResponseStream.ReadAllAsync(session.Token))
                {
                    failures = 0;
                    request.Cursor = happened.Cursor.Length > 0 ? happened.Cursor : request.Cursor;
                    if (happened.Kind != "heartbeat")
                        Print(session, happened);
                }
            }
            catch (RpcException lost) when (lost.StatusCode is StatusCode.DeadlineExceeded && failures == 0)
            {
                continue;
            }
            catch (RpcException lost) when (lost.StatusCode is StatusCode.Unavailable && failures < MostReconnects && request.Cursor.Length > 0)
            {
                session.World.Error.WriteLine("the control plane went away; connecting again");
            }
            await Task.Delay(ReconnectPause, session.World.Clock, session.Token);
        }
    }

    private static WatchJobsRequest Request(Session session)
    {
        var address = session.Value(Job) is { } job ? JobAddress.Parse(job, session.Target) : null;
        return new WatchJobsRequest
        {
            BindingId = address?.BindingId ?? 0, JobId = address?.JobId ?? "",
            Tenant = address is null ? session.Target.Tenant ?? "" : address.Tenant,
            Environment = address is null ? session.Target.Environment ?? "" : address.Environment,
            Cursor = session.Value(Cursor) ?? "",
        };
    }

    private static void Print(Session session, JobEvent happened)
    {
        var world = session.World;
        switch (session.Format)
        {
            case OutputFormat.Json:
                world.Out.WriteLine(ProtoJson.Format(happened, indented: false));
                break;
            case OutputFormat.Yaml:
                world.Out.Write("---\n" + YamlText.Of(ProtoJson.Node(happened)));
                break;
            case OutputFormat.Name:
                world.Out.WriteLine(Talk.OneLine(happened.Run is null ? JobAddress.NameOf(happened.Job) : RunAddress.Name(happened.Run)));
                break;
            default:
                world.Out.WriteLine(Talk.OneLine(Line(happened)));
                break;
        }
        world.Out.Flush();
    }

    private static string Line(JobEvent happened)
    {
        var at = Ages.Absolute(happened.At);
        return happened switch
        {
            { Run: { } run } => $"{at}  {run.Tenant}/{run.Environment}/{run.JobId}  run/{run.RunId} {run.Status} for {run.BusinessDate}, try {run.TryNumber}, took {RunTable.Took(run)}  {RunTable.Why(run)}".TrimEnd(),
            { Job: { } job } => $"{at}  {JobAddress.NameOf(job)}  {(job.Occurrence is { } open ? $"{open.SlotKey} {JobState.Of(open)}{(job.Beside.Count > 0 ? $", {job.Beside.Count} beside it" : "")}" : JobState.Word(job).Text)}",
            { Kind: "behind" } => $"{at}  behind: this terminal reads more slowly than things happen; every run is shown, of states only the last",
            _ => $"{at}  {happened.Kind}",
        };
    }
}
