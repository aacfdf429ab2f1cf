using System.CommandLine;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

/// <summary>What waits for approval, and one change with everything that is to be agreed to.</summary>
internal static class ChangesCommand
{
    private static readonly Argument<long?> Id = new("ID") { Description = "A change: shown with its differences", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Job = new("--job") { Description = "Only of this job", HelpName = "JOB_ID" };
    private static readonly Option<string> State = new("--state") { Description = "open, closed or all", HelpName = "STATE", DefaultValueFactory = _ => "open" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most so many", HelpName = "N", DefaultValueFactory = _ => 50 };

    static ChangesCommand() => State.AcceptOnlyFromAmong("open", "closed", "all");

    public static Command Create() => new Command("changes", "List what waits for approval, or show one change with its differences") { Id, ReviewsCommand.Create() }
        .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Job, State, Limit, SharedOptions.Output)
        .Does(session => session.Value(Id) is { } id ? Show(session, id) : List(session));

    private static async Task<int> List(Session session)
    {
        var all = new ListChangesResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Changes.ListChangesAsync(new ListChangesRequest
            {
                Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", JobId = session.Value(Job) ?? "",
                State = session.Value(State)!, PageSize = size, PageToken = token,
            }, session.Call);
            all.Changes.AddRange(page.Changes);
            all.NextPageToken = page.NextPageToken;
            return (page.Changes.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => PrintList(session, all.Changes), () => all.Changes.Select(ChangeText.Name));
        return ExitCode.Done;
    }

    private static void PrintList(Session session, IReadOnlyCollection<Change> changes)
    {
        if (changes.Count == 0)
        {
            session.World.Error.WriteLine("no such changes; propose one with: kpictl propose -f job.yaml --env prod");
            return;
        }
        var now = session.World.Clock.GetUtcNow();
        var table = new TextTable("CHANGE", "JOB", "KIND", "STATE", "AUTHOR", "PROPOSED", "WAITS FOR").Numeric(0);
        foreach (var change in changes)
            table.Row(change.ChangeId, ChangeText.JobOf(change), change.Kind, Cell.Status(change.State), change.Author,
                Ages.Relative(change.ProposedAt, now), change.State == "open" ? ChangeText.Missing(change) : "");
        table.WriteTo(session.World);
    }

    private static async Task<int> Show(Session session, long id)
    {
        var change = await session.Changes.GetChangeAsync(new GetChangeRequest { ChangeId = id }, session.Call);
        session.Answer.Print(change, () => ChangeText.Print(session, change), () => [ChangeText.Name(change)]);
        return ExitCode.Done;
    }
}
