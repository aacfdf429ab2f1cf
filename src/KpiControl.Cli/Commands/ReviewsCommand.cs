using System.CommandLine;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

/// <summary>kpictl changes reviews: what was released by breaking the glass, and what somebody else says of it.</summary>
internal static class ReviewsCommand
{
    private static readonly Argument<long> Id = new("CHANGE") { Description = "The change's number" };
    private static readonly Option<string> Comment = new("--comment", "-m") { Description = "What the review came to", HelpName = "TEXT", Required = true };
    private static readonly Option<string> State = new("--state") { Description = "open, closed or all", HelpName = "STATE", DefaultValueFactory = _ => "open" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most so many", HelpName = "N", DefaultValueFactory = _ => 50 };

    static ReviewsCommand() => State.AcceptOnlyFromAmong("open", "closed", "all");

    public static Command Create() => new Command("reviews", "List what was released by breaking the glass and is not reviewed yet")
    {
        new Command("close", "Close a review; only somebody who had no part in the release may") { Id }
            .Online().With(Comment, SharedOptions.DryRun, SharedOptions.Output).Does(Close),
    }.Online().With(SharedOptions.Tenant, SharedOptions.Environment, State, Limit, SharedOptions.Output).Does(List);

    private static async Task<int> List(Session session)
    {
        var all = new ListReviewsResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Changes.ListReviewsAsync(new ListReviewsRequest
            {
                Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", State = session.Value(State)!, PageSize = size, PageToken = token,
            }, session.Call);
            all.Reviews.AddRange(page.Reviews);
            all.NextPageToken = page.NextPageToken;
            return (page.Reviews.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => Print(session, all.Reviews), () => all.Reviews.Select(Name));
        return ExitCode.Done;
    }

    private static async Task<int> Close(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        var review = await session.Changes.CloseReviewAsync(new CloseReviewRequest
        {
            ChangeId = session.Value(Id), Comment = session.Value(Comment)!, ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        session.Answer.Print(review, () => session.World.Out.WriteLine($"the review of {Name(review)} {(dryRun ? "would be closed (dry run)" : "closed")}"), () => [Name(review)]);
        return ExitCode.Done;
    }

    private static void Print(Session session, IReadOnlyCollection<ChangeReview> reviews)
    {
        if (reviews.Count == 0)
        {
            session.World.Error.WriteLine("no such reviews");
            return;
        }
        var now = session.World.Clock.GetUtcNow();
        var table = new TextTable("CHANGE", "JOB", "STATE", "RELEASED", "REASON", "NOT BY").Numeric(0);
        foreach (var review in reviews)
            table.Row(review.ChangeId, $"{review.Tenant}/{review.Environment}/{review.JobId}", Cell.Status(review.State), Ages.Relative(review.OpenedAt, now), Talk.OneLine(review.Reason), string.Join(", ", review.Participants));
        table.WriteTo(session.World);
    }

    private static string Name(ChangeReview review) => FormattableString.Invariant($"change/{review.ChangeId}");
}
