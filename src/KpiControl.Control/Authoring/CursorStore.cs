using KpiControl.Control.Requests;

namespace KpiControl.Control.Authoring;

/// <summary>What of a runtime row an edit looks at.</summary>
internal sealed record CursorRow
{
    public long BindingId { get; init; }
    public DateTimeOffset Now { get; init; }
    public DateTimeOffset? NextRunAt { get; init; }
    public bool Paused { get; init; }
    public bool Active { get; init; }
    public short Lane { get; init; }
    public int Revision { get; init; }
}

/// <summary>The first cursor of a binding.</summary>
internal sealed record NewCursor(long BindingId, string Tenant, short Lane, bool Active, DateTimeOffset? NextRunAt);

/// <summary>A cursor under the next revision.</summary>
internal sealed record MovedCursor(long BindingId, int Revision, short Lane, short FromLane, bool Active, DateTimeOffset? NextRunAt);

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

    public static async Task<IReadOnlyDictionary<(string Region, int Priority), short>> LanesAsync(RequestTransaction tx, IEnumerable<(string Region, int Priority)> places)
    {
        var lanes = new Dictionary<(string, int), short>();
        foreach (var place in places.Distinct().Order())
            lanes[place] = await LaneAsync(tx, place.Region, place.Priority);
        return lanes;
    }

    private const string Insert = """
        INSERT INTO kpi_job_runtime (binding_id, tenant_id, lane, active, next_run_at)
        SELECT x.binding_id, x.tenant, CASE WHEN x.active THEN x.lane ELSE -x.lane END, x.active, x.next_run_at
          FROM jsonb_to_recordset(@rows::jsonb) AS x(binding_id bigint, tenant text, lane smallint, active boolean, next_run_at timestamptz)
        """;

    public static Task InsertAsync(RequestTransaction tx, IReadOnlyList<NewCursor> cursors) => tx.ExecuteAsync(Insert, new { rows = Rows.Json(cursors) });

    private const string Lock = """
        SELECT binding_id, next_run_at, active, lane, revision, COALESCE(paused_until > now(), false) AS paused
          FROM kpi_job_runtime WHERE binding_id = ANY (@ids) ORDER BY binding_id FOR NO KEY UPDATE
        """;

    // Not the transaction's beginning: while it waited for the rows a node may have taken up a slot that lies after that.
    private const string Clock = """
        SELECT clock_timestamp()
        """;

    /// <summary>Holds the rows until the transaction ends, so that no slot is taken up while its fate is decided. In one order, as everybody does.</summary>
    public static async Task<IReadOnlyDictionary<long, CursorRow>> LockAsync(RequestTransaction tx, long[] ids)
    {
        var held = await tx.QueryAsync<CursorRow>(Lock, new { ids });
        DateTimeOffset now = await tx.FindAsync<DateTime>(Clock);
        var rows = held.ToDictionary(row => row.BindingId, row => row with { Now = now });
        return rows.Count == ids.Length ? rows : throw new InvalidOperationException($"Of {ids.Length} bindings {rows.Count} have a runtime row.");
    }

    // A lane below zero is not scanned: a paused or inactive binding keeps its cursor and starts nothing.
    private const string Put = """
        UPDATE kpi_job_runtime rt SET revision = x.revision, active = x.active, next_run_at = x.next_run_at,
               lane = CASE WHEN x.active AND (rt.paused_until IS NULL OR rt.paused_until <= now()) THEN x.lane ELSE -x.lane END
          FROM jsonb_to_recordset(@rows::jsonb) AS x(binding_id bigint, revision int, lane smallint, active boolean, next_run_at timestamptz)
         WHERE rt.binding_id = x.binding_id AND rt.revision = x.revision - 1
        """;

    private const string MoveLane = """
        WITH x AS (
          SELECT * FROM jsonb_to_recordset(@rows::jsonb) AS x(binding_id bigint, lane smallint, from_lane smallint) WHERE lane <> from_lane
        ), parked AS (
          UPDATE kpi_parked p SET lane = x.lane FROM x JOIN kpi_job_runtime rt USING (binding_id) WHERE p.binding_id = x.binding_id AND p.lane <> x.lane AND rt.occ_lane IS NULL
        )
        UPDATE kpi_occurrence o SET lane = x.lane FROM x WHERE o.binding_id = x.binding_id AND o.lane = x.from_lane AND o.lane <> x.lane
        """;

    /// <summary>Puts the next revisions in force; an open occurrence runs by the one that is in force when it is granted, a leased one ends under the one it was granted with.</summary>
    public static async Task PutAsync(RequestTransaction tx, IReadOnlyList<MovedCursor> cursors)
    {
        var rows = Rows.Json(cursors);
        if (await tx.ExecuteAsync(Put, new { rows }) != cursors.Count)
            throw new InvalidOperationException("A binding and its runtime row are at different revisions.");
        await tx.ExecuteAsync(MoveLane, new { rows });
    }

    // Slots of the schedule before that nobody had taken up: they get their disposition, or they would be missing from the ledger.
    private const string Supersede = """
        WITH h AS (
          INSERT INTO kpi_job_history (run_id, tenant_id, binding_id, revision, scheduled_for, slot_last, slot_count, business_date, lane, final, status, reason, trigger_kind)
          VALUES (nextval('kpi_fence'), @tenant, @bindingId, @revision, @first, @last, @count, @businessDate, @lane, true, 'skipped', @reason, 'schedule')
          RETURNING run_id)
        INSERT INTO kpi_chain_pending (run_ids) SELECT array_agg(run_id) FROM h
        """;

    public static Task SkipAsync(RequestTransaction tx, Binding binding, CursorRow was, Jobs.Schedules.SkippedSlots skipped, DateOnly businessDate) =>
        tx.ExecuteAsync(Supersede, new
        {
            tenant = binding.TenantId, bindingId = binding.BindingId, revision = was.Revision, first = skipped.Range.First,
            last = skipped.Range.Count > 1 ? skipped.Range.Last : (DateTimeOffset?)null, count = (int)skipped.Range.Count, businessDate, lane = Math.Abs(was.Lane),
            reason = skipped.Reason,
        });

    private const string Notify = """
        SELECT pg_notify('kpi', @text)
        """;

    /// <summary>Heard after the commit: the lane is scanned again from its beginning.</summary>
    public static Task TellAsync(RequestTransaction tx, string text) => tx.ExecuteAsync(Notify, new { text });
}
