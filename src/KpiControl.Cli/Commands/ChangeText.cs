using System.Globalization;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

/// <summary>A change in words.</summary>
internal static class ChangeText
{
    public static string Name(Change change) => string.Create(CultureInfo.InvariantCulture, $"change/{change.ChangeId}");

    public static string JobOf(Change change) => $"{change.Tenant}/{change.Environment}/{change.JobId}";

    /// <summary>Who has not agreed yet; empty where nobody is left to ask.</summary>
    public static string Missing(Change change) => string.Join(", ", change.Required.Where(need => need.GivenBy.Length == 0)
        .Select(need => need.Principal.Length > 0 ? $"{need.Capacity} {need.Principal}" : $"{need.Capacity} approver"));

    public static void Print(Session session, Change change)
    {
        var to = session.World.Out;
        to.WriteLine($"{Name(change)} of {JobOf(change)} in {change.Region}: {change.State}");
        to.WriteLine($"  {change.Kind} by {change.Author}, {Ages.Absolute(change.ProposedAt)}{(change.Reason.Length > 0 ? $": {Talk.OneLine(change.Reason)}" : "")}; expires {Ages.Absolute(change.ExpiresAt)}");
        to.WriteLine($"  from {(change.BaseContentHash.Length > 0 ? change.BaseContentHash : "nothing")} ({change.BaseEtag})");
        to.WriteLine($"  to   {change.ContentHash}");
        to.WriteLine($"  digest {change.Digest}");
        foreach (var need in change.Required)
            to.WriteLine($"  {need.Capacity} {(need.Principal.Length > 0 ? need.Principal : "approver")}: {(need.GivenBy.Length > 0 ? $"approved by {need.GivenBy}" : "missing")}");
        foreach (var decision in change.Decisions)
            to.WriteLine($"  {Ages.Absolute(decision.DecidedAt)} {decision.Principal} ({decision.Capacity}): {decision.Decision}{(decision.Comment.Length > 0 ? $", {Talk.OneLine(decision.Comment)}" : "")}");
        if (ReleaseHoursText.Held(change.HeldBy, change.ReleasableFrom) is { Length: > 0 } held)
            to.WriteLine($"  {held}");
        foreach (var approval in change.BreakGlass)
            to.WriteLine($"  {Ages.Absolute(approval.DecidedAt)} {approval.Principal} ({approval.Capacity}): break-glass until {Ages.Absolute(approval.ExpiresAt)}, {Talk.OneLine(approval.Reason)}");
        if (change.Review is { } review)
            to.WriteLine($"  review {(review.State == "open" ? "open" : $"closed by {review.ClosedBy}, {Ages.Absolute(review.ClosedAt)}: {Talk.OneLine(review.Comment)}")}; released because: {Talk.OneLine(review.Reason)}");
        if (change.ClosedBy.Length > 0)
            to.WriteLine($"  {change.State} by {change.ClosedBy}, {Ages.Absolute(change.ClosedAt)}{(change.AppliedEtag.Length > 0 ? $", as {change.AppliedEtag}" : "")}");
        if (change.Differences.Count == 0)
            return;
        var table = new TextTable("FIELD", "BEFORE", "AFTER");
        foreach (var difference in change.Differences)
            table.Row(difference.Path, difference.Before, difference.After);
        to.Flush();
        table.WriteTo(session.World, "  ");
    }

    /// <summary>The answer of whatever opened a change.</summary>
    public static int Proposed(Session session, Change change, bool dryRun)
    {
        session.Answer.Print(change, () => Tell(session, change, "proposed", dryRun), () => [Name(change)]);
        return ExitCode.Done;
    }

    public static void Tell(Session session, Change change, string done, bool dryRun)
    {
        session.World.Out.WriteLine($"{(change.ChangeId == 0 ? "a change" : Name(change))} of {JobOf(change)} {(dryRun ? $"would be {done} (dry run)" : done)}");
        if (!dryRun && Next(change) is { Length: > 0 } next)
            session.World.Error.WriteLine($"next: {next}");
    }

    /// <summary>What to do next with a change that is open.</summary>
    private static string Next(Change change) => change.State switch
    {
        "approved" when change.HeldBy.Length > 0 => string.Create(CultureInfo.InvariantCulture, $"it is {ReleaseHoursText.Held(change.HeldBy, change.ReleasableFrom)}: kpictl release {change.ChangeId}"),
        "approved" => string.Create(CultureInfo.InvariantCulture, $"kpictl release {change.ChangeId}"),
        "open" => string.Create(CultureInfo.InvariantCulture, $"it waits for {Missing(change)}: kpictl approve {change.ChangeId}"),
        _ => "",
    };
}
