using System.Text.Json.Nodes;
using Grpc.Core;
using KpiControl.Cli.Connection;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Authoring;

/// <summary>What became of one file: created, rebound, proposed, unchanged, or refused.</summary>
internal sealed record ApplyOutcome(string File, string What = "refused", CreateJobResponse? Job = null)
{
    /// <summary>The hash before, where it was rebound.</summary>
    public string From { get; init; } = "";
    public bool RegionAsked { get; init; }
    public RpcException? Refused { get; init; }
    public Refusal? Refusal { get; init; }
    public string Name => Job is null ? File : $"{Job.Tenant}/{Job.Environment}/{Job.JobId}";
}

/// <param name="outcomes">In the order of the files.</param>
/// <param name="isAnswered">What is said of one file and mended by another.</param>
internal sealed class ApplyOutcomes(IReadOnlyList<ApplyOutcome> outcomes, Func<Protocol.V1.Finding, bool> isAnswered)
{
    public int Failures => outcomes.Count(outcome => outcome.Job is null);
    public bool Failed => Failures > 0;
    public int ExitCode => Failed ? Cli.ExitCode.Failed : Cli.ExitCode.Done;

    public void PrintFailures(Session session)
    {
        foreach (var outcome in outcomes)
        {
            if (outcome.Refused is not null)
                new RpcFailure(session.Target).Print(session.World, outcome.Refused, outcome.File);
            if (outcome.Refusal is { } refusal)
                Talk.Refused(session.World, new Refusal($"{outcome.File}: {refusal.Message}", refusal.Next));
            FindingLines.Print(session.World.Error, outcome.File, outcome.Job?.Findings.Where(finding => !isAnswered(finding)) ?? []);
        }
    }

    public void Print(Session session, bool dryRun)
    {
        var done = outcomes.Where(outcome => outcome.Job is not null).ToArray();
        switch (session.Format)
        {
            case OutputFormat.Json:
                session.World.Out.WriteLine(ProtoJson.Text(Node(done)));
                break;
            case OutputFormat.Yaml:
                session.World.Out.Write(YamlText.Of(Node(done)));
                break;
            case OutputFormat.Name:
                foreach (var outcome in done)
                    session.World.Out.WriteLine(outcome.Name);
                break;
            default:
                PrintTable(session, done, dryRun);
                break;
        }
    }

    // REST's answer to POST, and beside it the file and what became of it.
    private static JsonArray Node(IEnumerable<ApplyOutcome> done) => new([.. done.Select(outcome =>
    {
        var node = ProtoJson.Node(outcome.Job!).AsObject();
        node.Insert(0, "outcome", outcome.What);
        node.Insert(0, "file", outcome.File);
        return (JsonNode)node;
    })]);

    private static void PrintTable(Session session, ApplyOutcome[] done, bool dryRun)
    {
        if (done.Length == 0)
            return;
        var now = session.World.Clock.GetUtcNow();
        var wide = session.Answer.Wide;
        var table = new TextTable("JOB", "OUTCOME", "REGION", "BINDING", "CONTENT_HASH", "NEXT_RUN").Numeric(3);
        foreach (var outcome in done)
            table.Row(outcome.Name, new Cell(outcome.What + (dryRun ? " (dry run)" : ""), Cell.Status(outcome.What).Style), outcome.Job!.Region,
                outcome.Job.BindingId, wide ? outcome.Job.ContentHash : Jobs.JobTable.ShortHash(outcome.Job.ContentHash),
                wide ? Ages.Absolute(outcome.Job.NextRunAt) : Ages.Relative(outcome.Job.NextRunAt, now));
        table.WriteTo(session.World);
        session.World.Out.Flush();
        foreach (var proposed in done.Where(outcome => outcome.Job!.ChangeId > 0))
            session.World.Error.WriteLine($"{proposed.Name} is put in force once change {proposed.Job!.ChangeId} is approved: kpictl changes {proposed.Job.ChangeId}");
        foreach (var home in done.Where(outcome => outcome.What == "created" && !outcome.RegionAsked).Select(outcome => (outcome.Job!.Tenant, outcome.Job.Region)).Distinct())
            session.World.Error.WriteLine($"no --region was given: {home.Region} is the home region of {home.Tenant}");
    }
}
