using System.CommandLine;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Cli.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

/// <summary>kpictl restatements: numbers that would be others today, and what is decided of them.</summary>
internal static class RestatementsCommand
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(500);

    private static readonly Argument<string?> Job = new("JOB") { Description = "As in get; absent: all", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Argument<long> Id = new("ID") { Description = "As the list shows it" };
    private static readonly Argument<long[]> Ids = new("ID") { Description = "As the list shows it; several are accepted one by one", Arity = ArgumentArity.ZeroOrMore };
    private static readonly Option<string> State = new("--state") { Description = "open, accepted, closed or all", HelpName = "STATE", DefaultValueFactory = _ => "open" };
    private static readonly Option<long> Refresh = new("--refresh") { Description = "Those that one late refresh led to", HelpName = "ID" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most so many, the newest", HelpName = "N", DefaultValueFactory = _ => 50 };
    private static readonly Option<bool> Wait = new("--wait", "-w") { Description = "Until what runs has ended; exit 1 unless every date was restated" };
    private static readonly Option<string> Why = new("--reason", "-r") { Description = "Why; recorded in the audit trail", HelpName = "TEXT", Required = true };
    private static readonly Option<string?> Comment = new("--comment", "-m") { Description = "Recorded with the decision", HelpName = "TEXT" };
    private static readonly Option<string?> Digest = new("--digest") { Description = "Decide only if this is still what is proposed; absent: what is shown", HelpName = "sha256:…" };

    static RestatementsCommand() => State.AcceptOnlyFromAmong("open", "accepted", "closed", "all");

    public static Command Create() => Placed(
        new Command("restatements", "List numbers that late data would change: what is offered, and what became of it")
        {
            Job,
            Placed(new Command("show", "One restatement: its cause, its dates and what differs") { Id }).Does(Show),
            Placed(new Command("accept", "Compute the restated numbers beside the reported ones, which stay") { Ids }
                .With(Refresh, SharedOptions.Reason, Wait, SharedOptions.DryRun, SharedOptions.Yes)).Does(Accept),
            Placed(new Command("decline", "Leave the numbers as they were reported") { Id }.With(Why, SharedOptions.DryRun)).Does(Decline),
            Placed(new Command("approve", "Agree to exactly what a proposed restatement shows; the job's owners may, who accepted it may not") { Id }
                .With(Digest, Comment, SharedOptions.DryRun, SharedOptions.Yes)).Does(session => Decide(session, "approved")),
            Placed(new Command("reject", "Close a proposed restatement; --comment says why") { Id }.With(Digest, Comment, SharedOptions.DryRun)).Does(session => Decide(session, "rejected")),
        }.With(State, Refresh, Limit)).Does(List);

    private static Command Placed(Command command) => command.Online().With(SharedOptions.Tenant, SharedOptions.Environment, SharedOptions.Output);

    private static async Task<int> List(Session session)
    {
        var job = session.Value(Job) is { } name ? await session.Jobs.GetJobAsync(JobAddress.Parse(name, session.Target).Get(), session.Call) : null;
        var all = new ListRestatementsResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Restatements.ListRestatementsAsync(new ListRestatementsRequest
            {
                Tenant = session.Target.Tenant ?? "", Environment = job is null ? session.Target.Environment ?? "" : "", BindingId = job?.BindingId ?? 0,
                RefreshId = session.Value(Refresh), State = session.Value(State)!, PageSize = size, PageToken = token,
            }, session.Call);
            all.Restatements.AddRange(page.Restatements);
            all.NextPageToken = page.NextPageToken;
            return (page.Restatements.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => RestatementText.Print(session, all.Restatements), () => all.Restatements.Select(RestatementText.Name));
        return ExitCode.Done;
    }

    private static async Task<int> Show(Session session)
    {
        var restatement = await GetAsync(session, session.Value(Id));
        session.Answer.Print(restatement, () => RestatementText.Page(session.World, restatement), () => [RestatementText.Name(restatement)]);
        return ExitCode.Done;
    }

    private static async Task<int> Accept(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        var chosen = await ChosenAsync(session);
        if (!dryRun && session.World.CanAsk && !session.Value(SharedOptions.Yes))
        {
            RestatementText.Print(session, chosen);
            if (!Talk.Agreed(session.World, false, chosen.Count == 1 ? "Accept it?" : $"Accept these {chosen.Count}?"))
                return ExitCode.UsageOrCancelled;
        }
        var accepted = new List<Restatement>();
        foreach (var one in chosen)
        {
            accepted.Add(await session.Restatements.AcceptRestatementAsync(new AcceptRestatementRequest
            {
                RestatementId = one.RestatementId, Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
            }, session.Call));
            if (session.Answer.ForPeople)
                RestatementText.Tell(session, accepted[^1], dryRun);
        }
        if (session.Value(Wait) && !dryRun)
            return await AwaitEnd(session, accepted);
        if (!session.Answer.ForPeople)
            Answer(session, accepted);
        return ExitCode.Done;
    }

    private static async Task<IReadOnlyList<Restatement>> ChosenAsync(Session session)
    {
        var (ids, refresh) = (session.Value(Ids)!, session.Value(Refresh));
        if (ids.Length == 0 == (refresh == 0))
            throw new Refusal("accept takes one or more ID, or --refresh ID for all that a refresh led to", "see what is offered: kpictl restatements");
        var chosen = new List<Restatement>();
        foreach (var id in ids)
            chosen.Add(await session.Restatements.GetRestatementAsync(new GetRestatementRequest { RestatementId = id }, session.Call));
        for (var token = ""; refresh != 0; )
        {
            var page = await session.Restatements.ListRestatementsAsync(new ListRestatementsRequest { Tenant = session.Target.Tenant ?? "", RefreshId = refresh, PageSize = 1000, PageToken = token }, session.Call);
            chosen.AddRange(page.Restatements);
            if ((token = page.NextPageToken).Length == 0)
                break;
        }
        return chosen.Count > 0 ? chosen : throw new Refusal($"refresh {refresh} has no open offers", $"see what became of them: kpictl restatements --refresh {refresh} --state all");
    }

    // One that waits for approvals has not begun, and is not waited for.
    private static async Task<int> AwaitEnd(Session session, IReadOnlyList<Restatement> accepted)
    {
        var ended = new List<Restatement>();
        using (var progress = new ProgressLine(session.World))
            foreach (var one in accepted)
            {
                var now = one;
                while (now.State == "running")
                {
                    progress.Say($"{RestatementText.Name(now)} {now.JobId} {now.Restated}/{now.Total}, {ended.Count + 1} of {accepted.Count}");
                    await Task.Delay(LookEvery, session.World.Clock, session.Token);
                    now = await GetAsync(session, one.RestatementId);
                }
                ended.Add(now);
            }
        if (session.Answer.ForPeople)
            RestatementText.Print(session, ended);
        else
            Answer(session, ended);
        return ended.TrueForAll(r => r.State == "restated") ? ExitCode.Done : ExitCode.Failed;
    }

    private static void Answer(Session session, IReadOnlyCollection<Restatement> restatements) =>
        session.Answer.Print(new ListRestatementsResponse { Restatements = { restatements } }, () => { }, () => restatements.Select(RestatementText.Name));

    private static async Task<int> Decline(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        var declined = await session.Restatements.DeclineRestatementAsync(new DeclineRestatementRequest
        {
            RestatementId = session.Value(Id), Reason = session.Value(Why)!, ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        session.Answer.Print(declined, () => RestatementText.Tell(session, declined, dryRun), () => [RestatementText.Name(declined)]);
        return ExitCode.Done;
    }

    private static async Task<int> Decide(Session session, string done)
    {
        var (shown, dryRun) = (await GetAsync(session, session.Value(Id)), session.Value(SharedOptions.DryRun));
        if (done == "approved" && !dryRun && session.World.CanAsk && !session.Value(SharedOptions.Yes))
        {
            RestatementText.Page(session.World, shown);
            if (!Talk.Agreed(session.World, false, "Approve exactly this?"))
                return ExitCode.UsageOrCancelled;
        }
        var request = new DecideRestatementRequest
        {
            RestatementId = shown.RestatementId, Digest = session.Value(Digest) ?? shown.Digest, Comment = session.Value(Comment) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        };
        var decided = done == "approved" ? await session.Restatements.ApproveRestatementAsync(request, session.Call) : await session.Restatements.RejectRestatementAsync(request, session.Call);
        session.Answer.Print(decided, () => RestatementText.Tell(session, decided, dryRun), () => [RestatementText.Name(decided)]);
        return ExitCode.Done;
    }

    private static async Task<Restatement> GetAsync(Session session, long id) =>
        await session.Restatements.GetRestatementAsync(new GetRestatementRequest { RestatementId = id }, session.Call);
}
