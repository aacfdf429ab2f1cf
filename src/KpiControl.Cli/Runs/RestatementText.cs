using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Runs;

/// <summary>Restatements in rows, and one with its dates.</summary>
internal static class RestatementText
{
    public static string Name(Restatement one) => FormattableString.Invariant($"restatement/{one.RestatementId}");

    public static void Print(Session session, IReadOnlyCollection<Restatement> restatements)
    {
        if (restatements.Count == 0)
        {
            session.World.Error.WriteLine("no such restatements; a refresh of a time that was reported before leads to one");
            return;
        }
        var now = session.World.Clock.GetUtcNow();
        var table = new TextTable("ID", "JOB", "STATE", "DATES", "RESTATED", "CAUSE", "OFFERED", "UNTIL", "APPROVALS").Numeric(0);
        foreach (var one in restatements)
            table.Row(one.RestatementId, $"{one.Tenant}/{one.Environment}/{one.JobId}", State(one), Dates(one), FormattableString.Invariant($"{one.Restated}/{one.Total}"), CauseOf(one.Cause),
                Ages.Relative(one.OfferedAt, now), one.State is "offered" or "proposed" ? Ages.Relative(one.ExpiresAt, now) : "-", Approvals(one));
        table.WriteTo(session.World);
    }

    public static void Page(Surroundings world, Restatement one)
    {
        var now = world.Clock.GetUtcNow();
        var sheet = new Sheet()
            .Line("restatement_id", one.RestatementId)
            .Line("job", $"{one.Tenant}/{one.Environment}/{one.JobId}")
            .Line("kpi_id", $"{one.KpiId}@{one.ContractVersion}")
            .Line("state", State(one))
            .Line("cause", CauseOf(one.Cause))
            .Line("published", one.Cause.PublishedAt is null ? "" : $"{Ages.Both(one.Cause.PublishedAt, now)} by {one.Cause.PublishedBy}")
            .Line("data_through", one.Cause.DataThrough is null ? "" : Ages.Absolute(one.Cause.DataThrough))
            .Line("changed_from", one.Cause.ChangedFrom is null ? "" : Ages.Absolute(one.Cause.ChangedFrom))
            .Line("offered_at", Ages.Both(one.OfferedAt, now))
            .Line("expires_at", one.State is "offered" or "proposed" ? Ages.Both(one.ExpiresAt, now) : "")
            .Line("accepted", one.AcceptedAt is null ? "" : $"{Ages.Both(one.AcceptedAt, now)} by {one.AcceptedBy}{Because(one.Reason)}")
            .Line("approvals", Approvals(one))
            .Line("digest", one.Digest)
            .Line("closed", one.ClosedAt is null ? "" : $"{Ages.Both(one.ClosedAt, now)} by {one.ClosedBy}{Because(one.CloseReason)}")
            .Line("superseded_by", one.SupersededBy == 0 ? "" : FormattableString.Invariant($"restatement/{one.SupersededBy}"))
            .Line("backfill", one.BackfillId == 0 ? "" : FormattableString.Invariant($"{one.BackfillId}, {one.Restated} of {one.Total} dates restated"));
        sheet.WriteTo(world);
        PrintDates(world, one);
        PrintDifferences(world, one);
    }

    /// <summary>What a decision came to.</summary>
    public static void Tell(Session session, Restatement one, bool dryRun)
    {
        session.World.Out.WriteLine($"{Name(one)} of {one.JobId} ({Dates(one)}): {(dryRun ? $"would be {one.State} (dry run)" : one.State)}");
        session.World.Out.Flush();
        if (dryRun)
            return;
        if (one.State == "proposed")
            session.World.Error.WriteLine($"it waits for {Approvals(one)}: kpictl restatements approve {one.RestatementId}");
        else if (one.BackfillId != 0)
            session.World.Error.WriteLine($"see how far it is: kpictl restatements show {one.RestatementId}; what does not run yet is ended with: kpictl backfill cancel {one.BackfillId}");
    }

    private static void PrintDates(Surroundings world, Restatement one)
    {
        Sheet.Heading(world, $"DATES{(one.Total > one.Dates.Count ? $" (the first {one.Dates.Count} of {one.Total})" : "")}");
        var table = new TextTable("BUSINESS_DATE", "REPORTED", "RESTATED", "STATE", "DIFFERS").Numeric(1, 2);
        foreach (var date in one.Dates)
            table.Row(date.BusinessDate, date.ReportedRunId, date.RestatedRunId == 0 ? "-" : new Cell(FormattableString.Invariant($"{date.RestatedRunId}")), Cell.Status(date.State),
                !date.Compared ? date.RestatedRunId == 0 ? "-" : "in the region (kpi_values)" : date.Differences.Count == 0 ? "nothing" : FormattableString.Invariant($"{date.Differences.Count} points"));
        table.WriteTo(world);
    }

    private static void PrintDifferences(Surroundings world, Restatement one)
    {
        var all = one.Dates.SelectMany(date => date.Differences.Select(difference => (date.BusinessDate, Difference: difference))).ToList();
        if (all.Count == 0)
            return;
        Sheet.Heading(world, "DIFFERENCES");
        var table = new TextTable("BUSINESS_DATE", "PERIOD", "DIMENSIONS", "METRIC", "REPORTED", "RESTATED").Numeric(4, 5);
        foreach (var (date, difference) in all)
            table.Row(date, difference.Period, string.Join(' ', difference.Dimensions.OrderBy(d => d.Key, StringComparer.Ordinal).Select(d => $"{d.Key}={d.Value}")), difference.Metric,
                Value(difference.HasReported, difference.Reported), Value(difference.HasRestated, difference.Restated));
        table.WriteTo(world);
    }

    private static string Value(bool has, double value) => has ? FormattableString.Invariant($"{value:R}") : "-";

    private static Cell State(Restatement one) => new(one.State, one.State switch { "restated" => "green", "failed" => "red", "offered" or "proposed" => "yellow", "running" => "blue", _ => null });

    private static string Dates(Restatement one) => one.FirstDate == one.LastDate ? one.FirstDate : $"{one.FirstDate}..{one.LastDate}";

    private static string CauseOf(RestatementCause cause) => cause.Kind == "refresh"
        ? FormattableString.Invariant($"{cause.Source}, refresh {cause.RefreshId} ({cause.SourceRun}{(cause.Version.Length > 0 ? $", version {cause.Version}" : "")})")
        : FormattableString.Invariant($"{cause.Source}, restatement {cause.RestatementId}");

    private static string Approvals(Restatement one) => string.Join(", ", one.Approvals.Select(a =>
        $"{a.Capacity}: {(a.GivenBy.Length > 0 ? a.GivenBy : $"{(a.Owner.Length > 0 ? a.Owner : "anybody")} (missing)")}"));

    private static string Because(string reason) => reason.Length > 0 ? $": {reason}" : "";
}
