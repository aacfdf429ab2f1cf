using System.CommandLine;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class SignalCommand
{
    private static readonly Argument<string> Name = new("NAME") { Description = "The signal, such as erp_eod_sync" };
    private static readonly Argument<string> Dataset = new("DATASET") { Description = "The GDP table, such as GDP_Receivables" };
    private static readonly Argument<string?> Only = new("NAME") { Description = "One signal or dataset; absent: all", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Region = new("--region") { Description = "Only for this region; absent: every region", HelpName = "REGION" };
    private static readonly Option<string> DataThrough = new("--data-through")
    { Description = "Everything before this instant is in the table", HelpName = "TIME", Required = true };
    private static readonly Option<string?> RunId = new("--run-id")
    { Description = "The pipeline's run: the same one again wakes nobody twice", HelpName = "ID", Required = true };
    private static readonly Option<string?> TableVersion = new("--table-version") { Description = "The table's version, for lineage", HelpName = "VERSION" };
    private static readonly Option<string?> ChangedFrom = new("--changed-from")
    { Description = "Late data: from this instant on something of the table changed; whoever reported since is offered a restatement", HelpName = "TIME" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most so many, the newest", HelpName = "N", DefaultValueFactory = _ => 50 };

    public static Command Create() => Placed(
        new Command("signal", "Publish a signal or a refresh of a GDP table; it wakes the runs that wait for it")
        {
            Name,
            Placed(new Command("refresh", "Publish that a GDP table was refreshed") { Dataset, DataThrough, RunId, TableVersion, ChangedFrom, Region, SharedOptions.DryRun })
                .Does(Refresh),
            Placed(new Command("list", "List what was published, newest first") { Only, Limit }).Does(List),
        }.With(SharedOptions.BusinessDate, Region, SharedOptions.DryRun)).Does(Publish);

    private static Command Placed(Command command) =>
        command.Online().With(SharedOptions.Tenant, SharedOptions.Environment, SharedOptions.Output);

    private static async Task<int> Publish(Session session)
    {
        var name = session.Value(Name)!;
        var dryRun = session.Value(SharedOptions.DryRun);
        var answer = await session.Signals.PublishSignalAsync(new PublishSignalRequest
        {
            Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "dev", Region = session.Value(Region) ?? "",
            Name = name, BusinessDate = session.Value(SharedOptions.BusinessDate) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        session.Answer.Print(answer, () => Say(session, name, answer.Woken, dryRun, answer.Started), () => [name]);
        if (session.Answer.ForPeople && session.Value(SharedOptions.BusinessDate) is null)
            session.World.Error.WriteLine(Undated);
        return ExitCode.Done;
    }

    private const string Undated =
        "it names no business date: each job takes it once, for the occurrence that waits for it now or for its next one, whatever the date; of one date alone: --business-date DATE";

    private static async Task<int> Refresh(Session session)
    {
        var dataset = session.Value(Dataset)!;
        var dryRun = session.Value(SharedOptions.DryRun);
        var answer = await session.Signals.PublishRefreshAsync(new PublishRefreshRequest
        {
            Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "dev", Region = session.Value(Region) ?? "",
            Dataset = dataset, DataThrough = Timestamp.FromDateTimeOffset(Times.Instant(session.Value(DataThrough)!, "--data-through", session.World.Clock)),
            ChangedFrom = session.Value(ChangedFrom) is { } from ? Timestamp.FromDateTimeOffset(Times.Instant(from, "--changed-from", session.World.Clock)) : null,
            RunId = session.Value(RunId) ?? "", Version = session.Value(TableVersion) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        session.Answer.Print(answer, () => Say(session, dataset, answer.Woken, dryRun), () => [dataset]);
        return ExitCode.Done;
    }

    private static void Say(Session session, string name, int woken, bool dryRun, int started = 0) => session.World.Out.WriteLine(
        $"{name} {(dryRun ? "would be published (dry run)" : "published")}: {woken switch { 0 => "nothing waits for it now", 1 => "one run became ready", _ => $"{woken} runs became ready" }}{started switch { 0 => "", 1 => ", one event job started", _ => $", {started} event jobs started" }}");

    private static async Task<int> List(Session session)
    {
        var all = new ListSignalsResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Signals.ListSignalsAsync(new ListSignalsRequest
            {
                Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", Name = session.Value(Only) ?? "",
                PageSize = size, PageToken = token,
            }, session.Call);
            all.Facts.AddRange(page.Facts);
            all.NextPageToken = page.NextPageToken;
            return (page.Facts.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => Print(session, all.Facts), () => all.Facts.Select(fact => fact.Name));
        return ExitCode.Done;
    }

    private static void Print(Session session, IReadOnlyCollection<PublishedFact> facts)
    {
        if (facts.Count == 0)
        {
            session.World.Error.WriteLine("nothing published yet; publish with: kpictl signal NAME, kpictl signal refresh DATASET --data-through TIME");
            return;
        }
        var now = session.World.Clock.GetUtcNow();
        var table = new TextTable("KIND", "NAME", "ENV", "REGION", "BUSINESS_DATE", "DATA_THROUGH", "RUN_ID", "VERSION", "PUBLISHED", "BY");
        foreach (var fact in facts)
            table.Row(fact.Kind, fact.Name, fact.Environment, fact.Region.Length == 0 ? "all" : fact.Region, fact.BusinessDate, Ages.Absolute(fact.DataThrough),
                fact.RunId, fact.Version, session.Answer.Wide ? Ages.Absolute(fact.PublishedAt) : Ages.Relative(fact.PublishedAt, now), fact.PublishedBy);
        table.WriteTo(session.World);
    }
}
