using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Drift;

/// <summary>Drift on a terminal.</summary>
internal static class DriftText
{
    private const int ShownOfHash = 12;

    public static string Name(DriftEntry entry) => entry.JobId.Length > 0 ? $"{entry.Tenant}/{entry.Environment}/{entry.JobId}" : $"{entry.Store}:{entry.Path}";

    public static void Print(Session session, IReadOnlyCollection<DriftEntry> entries)
    {
        if (entries.Count == 0)
        {
            session.World.Error.WriteLine("nothing to show: what the stores hold is what is bound, or no job follows a store (kpictl drift --state all)");
            return;
        }
        var now = session.World.Clock.GetUtcNow();
        var table = new TextTable("JOB", "STATE", "STORE", "PATH", "STORE HAS", "BOUND", "SINCE", "WHY");
        foreach (var entry in entries)
            table.Row(Name(entry), Cell.Status(entry.State), entry.Store, entry.Path, Short(entry.StoreHash), Short(entry.BoundHash), Ages.Relative(entry.Since, now), entry.Reason);
        table.WriteTo(session.World);
    }

    public static void Print(Session session, JobDrift drift)
    {
        var (world, entry, now) = (session.World, drift.Entry, session.World.Clock.GetUtcNow());
        new Sheet().Line("job", Name(entry)).Line("state", Cell.Status(entry.State)).Line("why", entry.Reason).Line("since", Ages.Both(entry.Since, now))
            .Line("store", StoreText.Line(drift.Store))
            .Line("agreed last", entry.SourceRef is { } was ? $"{Ages.Both(was.AgreedAt, now)} on {was.Path}{(was.Commit.Length > 0 ? $" at {was.Commit}" : "")}" : "never")
            .Line("written", drift.Write is { } write ? Written(write, now) : "").WriteTo(world);
        Sheet.Heading(world, "Hashes");
        PrintLadder(world, drift.Ladder);
        if (drift.Differences.Count == 0)
            return;
        Sheet.Heading(world, "From what is bound to what the store holds");
        var differences = new TextTable("FIELD", "BOUND", "STORE");
        foreach (var difference in drift.Differences)
            differences.Row(difference.Path, difference.Before.Length > 0 ? difference.Before : "–", difference.After.Length > 0 ? difference.After : "–");
        differences.WriteTo(world);
    }

    /// <summary>A job beside its store: nothing of one that follows none.</summary>
    public static void Section(Surroundings world, StoreStanding? drift)
    {
        if (drift is null)
            return;
        Sheet.Heading(world, "STORE");
        new Sheet().Line("store", drift.Store).Line("state", Cell.Status(drift.State)).Line("why", drift.Reason).Line("since", Ages.Both(drift.Since, world.Clock.GetUtcNow())).WriteTo(world);
        PrintLadder(world, drift.Ladder);
    }

    private static void PrintLadder(Surroundings world, IEnumerable<HashRung> ladder)
    {
        var table = new TextTable("RUNG", "HASH", "", "WHERE", "SINCE");
        foreach (var rung in ladder)
            table.Row(rung.Rung, rung.ContentHash.Length > 0 ? rung.ContentHash : "-", rung.Agrees ? new Cell("") : new Cell("differs", "yellow"), rung.Where, Ages.Relative(rung.At, world.Clock.GetUtcNow()));
        table.WriteTo(world);
    }

    private static string Written(StoreWrite write, DateTimeOffset now) =>
        $"{write.StoreState} {(write.EndedAt is { } ended ? Ages.Both(ended, now) : $"since {Ages.Both(write.RequestedAt, now)}")}, {(write.Cause == "applied" ? "applied" : "asked for")} by {write.RequestedBy}"
        + (write.StoredCommit.Length > 0 ? $", {write.StoredCommit}" : "") + (write.Problem.Length > 0 ? $": {write.Problem}" : "");

    private static string Short(string hash) => hash.Length > "sha256:".Length + ShownOfHash ? hash["sha256:".Length..][..ShownOfHash] : "-";
}
