using KpiControl.Control.Requests;

namespace KpiControl.Control.Authoring;

/// <summary>What of a runtime row an edit looks at.</summary>
internal sealed record CursorRow
{
    public DateTimeOffset Now { get; init; }
    public DateTimeOffset? NextRunAt { get; init; }
    public bool Paused { get; init; }
    public bool Active { get; init; }
    public short Lane { get; init; }
    public int Revision { get; init; }
}

/// <summary>The cursor and the lane of a binding: the few statements outside the hot path that move them.</summary>
internal static class CursorStore
{
    private const string DatabaseNow = """
        SELECT now()
        """;

    public static async Task<DateTimeOffset> NowAsync(RequestTransaction tx) => await tx.FindAsync<DateTime>(DatabaseNow);

    // Tested before it is inserted: a refused insert would use up a number of the lane's small sequence each time.
    private const string MakeLanes = """
        INSERT INTO kpi_lane (region, priority)
        SELECT @region, p FROM unnest(ARRAY[@priority, 6]::smallint[]) AS p
         WHERE NOT EXISTS (SELECT FROM kpi_lane l WHERE l.region = @region AND l.priority = p) ORDER BY p
        ON CONFLICT (region, priority) DO NOTHING
        """;

    private const string FindLane = """
        SELECT lane FROM kpi_lane WHERE region = @region AND priority = @priority
        """;

    /// <summary>The lane of a region at a priority, made with the region's catch-up lane where it is the first.</summary>
    public static async Task<short> LaneAsync(RequestTransaction tx, string region, int priority)
    {
        var key = new { region, priority = (short)priority };
        await tx.ExecuteAsync(MakeLanes, key);
        return await tx.FindAsync<short>(FindLane, key);
    }

    private const string Insert = """
        INSERT INTO kpi_job_runtime (binding_id, tenant_id, lane, active, next_run_at)
        VALUES (@bindingId, @tenant, CASE WHEN @active THEN @lane::smallint ELSE -@lane::smallint END, @active, @nextRunAt)
        """;

    public static Task InsertAsync(RequestTransaction tx, long bindingId, string tenant, short lane, bool active, DateTimeOffset? nextRunAt) =>
        tx.ExecuteAsync(Insert, new { bindingId, tenant, lane, active, nextRunAt });

    private const string Lock = """
        SELECT now() AS now, next_run_at, active, lane, revision, COALESCE(paused_until > now(), false) AS paused
          FROM kpi_job_runtime WHERE binding_id = @bindingId FOR NO KEY UPDATE
        """;

    /// <summary>Holds the row until the transaction ends, so that no slot is taken up while its fate is decided.</summary>
    public static async Task<CursorRow> LockAsync(RequestTransaction tx, long bindingId) =>
        await tx.FindAsync<CursorRow>(Lock, new { bindingId }) ?? throw new InvalidOperationException($"Binding {bindingId} has no runtime row.");

    // A lane below zero is not scanned: a paused or inactive binding keeps its cursor and starts nothing.
    private const string Put = """
        UPDATE kpi_job_runtime SET revision = @revision, active = @active, next_run_at = @nextRunAt,
               lane = CASE WHEN @active AND (paused_until IS NULL OR paused_until <= now()) THEN @lane::smallint ELSE -@lane::smallint END
         WHERE binding_id = @bindingId AND revision = @revision - 1
        """;

    private const string MoveLane = """
        WITH parked AS (
          UPDATE kpi_parked p SET lane = @lane FROM kpi_job_runtime rt WHERE p.binding_id = @bindingId AND p.lane <> @lane AND rt.binding_id = p.binding_id AND rt.occ_lane IS NULL
        )
        UPDATE kpi_occurrence SET lane = @lane WHERE binding_id = @bindingId AND lane = @from AND lane <> @lane
        """;

    /// <summary>Puts the next revision in force; an open occurrence goes on under it, a leased one ends under the one it was granted with.</summary>
    public static async Task PutAsync(RequestTransaction tx, long bindingId, CursorRow was, short lane, bool active, DateTimeOffset? nextRunAt)
    {
        if (await tx.ExecuteAsync(Put, new { bindingId, revision = was.Revision + 1, active, nextRunAt, lane }) != 1)
            throw new InvalidOperationException($"Binding {bindingId} and its runtime row are at different revisions.");
        await tx.ExecuteAsync(MoveLane, new { bindingId, lane, from = Math.Abs(was.Lane) });
    }

    // Slots of the schedule before that nobody had taken up: they get their disposition, or they would be missing from the ledger.
    private const string Supersede = """
        WITH h AS (
          INSERT INTO kpi_job_history (run_id, tenant_id, binding_id, revision, scheduled_for, slot_last, slot_count, business_date, lane, final, status, reason, trigger_kind)
          VALUES (nextval('kpi_fence'), @tenant, @bindingId, @revision, @first, @last, @count, @businessDate, @lane, true, 'skipped', @reason, 'schedule')
          RETURNING run_id)
        INSERT INTO kpi_chain_pending (run_ids) SELECT array_agg(run_id) FROM h
        """;

    public static Task SkipAsync(RequestTransaction tx, Binding binding, CursorRow was, Jobs.Schedules.SlotRange slots, DateOnly businessDate) =>
        tx.ExecuteAsync(Supersede, new
        {
            tenant = binding.TenantId, bindingId = binding.BindingId, revision = was.Revision, first = slots.First,
            last = slots.Count > 1 ? slots.Last : (DateTimeOffset?)null, count = (int)slots.Count, businessDate, lane = Math.Abs(was.Lane),
            reason = was.Paused ? "paused" : "superseded",
        });

    private const string Notify = """
        SELECT pg_notify('kpi', @text)
        """;

    /// <summary>Heard after the commit: the lane is scanned again from its beginning.</summary>
    public static Task TellAsync(RequestTransaction tx, string text) => tx.ExecuteAsync(Notify, new { text });
}
