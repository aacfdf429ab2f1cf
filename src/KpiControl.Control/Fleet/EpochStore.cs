using KpiControl.Control.Requests;

namespace KpiControl.Control.Fleet;

/// <summary>The cluster's epoch: the first half of every fence.</summary>
internal static class EpochStore
{
    private const string Find = """
        SELECT epoch, timeline, kpi_timeline() AS written, bumped_at FROM kpi_cluster
        """;

    public static async Task<EpochRow> FindAsync(RequestTransaction tx) => (await tx.FindAsync<EpochRow>(Find))!;

    // Of two operators who bump at once the second waits, and raises it once more, which harms nobody.
    private const string Bump = """
        UPDATE kpi_cluster c SET epoch = was.epoch + 1, bumped_at = now(), timeline = kpi_timeline()
          FROM (SELECT epoch, timeline FROM kpi_cluster FOR NO KEY UPDATE) was
        RETURNING c.epoch, c.timeline, c.timeline AS written, c.bumped_at, was.epoch AS was_epoch, was.timeline AS was_timeline
        """;

    private const string Notify = """
        SELECT pg_notify('kpi', 'epoch')
        """;

    public static async Task<EpochRow> BumpAsync(RequestTransaction tx)
    {
        var bumped = await tx.FindAsync<EpochRow>(Bump);
        await tx.ExecuteAsync(Notify);
        return bumped!;
    }
}

internal sealed record EpochRow
{
    public int Epoch { get; init; }
    public string Timeline { get; init; } = "";
    public string Written { get; init; } = "";
    public DateTimeOffset BumpedAt { get; init; }
    /// <summary>Before a bump; of one that was only read, nothing.</summary>
    public int WasEpoch { get; init; }
    public string WasTimeline { get; init; } = "";
}
