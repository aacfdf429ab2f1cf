using KpiControl.Control.Requests;

namespace KpiControl.Control.Backfills;

/// <summary>Backfills as people ask for them, look at them and end them.</summary>
internal static class BackfillStore
{
    private const string Add = """
        INSERT INTO kpi_backfill (binding_id, tenant_id, first_date, last_date, newest_first, rerun, parallelism, reason, requested_by, restatement_id)
        VALUES (@BindingId, @TenantId, @FirstDate, @LastDate, @NewestFirst, @Rerun, @Parallelism, @Reason, @RequestedBy, @RestatementId) RETURNING backfill_id
        """;

    public static Task<long> AddAsync(RequestTransaction tx, BackfillRow backfill) => tx.FindAsync<long>(Add, backfill);

    // The binding's row is held: of two backfills of one slot the second sees the first, and takes the next microsecond.
    private const string AddSlots = """
        INSERT INTO kpi_backfill_slot (backfill_id, ordinal, binding_id, tenant_id, slot, occurrence_at, window_start, business_date, state)
        SELECT @id, x.ordinal, @binding, @tenant, x.slot,
               x.slot + (SELECT count(*) FROM kpi_backfill_slot p WHERE p.binding_id = @binding AND p.slot = x.slot) * interval '1 microsecond',
               x.window_start, x.business_date, CASE WHEN NOT @rerun AND done.slot IS NOT NULL THEN 'succeeded_before' ELSE 'pending' END
          FROM unnest(@slots, @windows, @dates) WITH ORDINALITY AS x(slot, window_start, business_date, ordinal)
          LEFT JOIN (SELECT DISTINCT date_trunc('second', h.scheduled_for) AS slot FROM kpi_job_history h
                      WHERE h.binding_id = @binding AND h.final AND h.status IN ('success', 'partial') AND h.trigger_kind IN ('schedule', 'backfill', 'replay')) done ON done.slot = x.slot
        """;

    public static Task AddSlotsAsync(RequestTransaction tx, long id, BackfillRow backfill, IReadOnlyList<BackfillSlot> slots) => tx.ExecuteAsync(AddSlots, new
    {
        id, binding = backfill.BindingId, tenant = backfill.TenantId, backfill.Rerun, slots = slots.Select(s => s.Slot.UtcDateTime).ToArray(),
        windows = slots.Select(s => s.WindowStart?.UtcDateTime).ToArray(), dates = slots.Select(s => s.BusinessDate).ToArray(),
    });

    // Each by the revision that reported it, and at that run's slot; a date that was restated by this offer before is not run again.
    private const string AddRestatedSlots = """
        INSERT INTO kpi_backfill_slot (backfill_id, ordinal, binding_id, tenant_id, slot, occurrence_at, window_start, business_date, state, pinned_revision)
        SELECT @id, row_number() OVER (ORDER BY x.business_date), x.binding_id, x.tenant_id, x.second,
               x.second + ((SELECT count(*) FROM kpi_backfill_slot p WHERE p.binding_id = x.binding_id AND p.slot = x.second) + row_number() OVER (PARTITION BY x.second ORDER BY x.business_date) - 1) * interval '1 microsecond',
               x.window_start, x.business_date, 'pending', x.revision
          FROM (SELECT t.*, date_trunc('second', t.slot) AS second FROM kpi_restatement_slot t WHERE t.restatement_id = @restatement
                   AND NOT EXISTS (SELECT FROM kpi_backfill q JOIN kpi_backfill_slot p USING (backfill_id)
                                    WHERE q.restatement_id = t.restatement_id AND p.business_date = t.business_date AND p.state IN ('success', 'partial'))) x
        """;

    public static Task AddRestatedSlotsAsync(RequestTransaction tx, long id, long restatement) => tx.ExecuteAsync(AddRestatedSlots, new { id, restatement });

    private const string Ahead = """
        SELECT slot FROM kpi_backfill_slot WHERE backfill_id = @id AND state IN ('pending', 'queued') ORDER BY ordinal LIMIT 20
        """;

    /// <summary>The first that are to run.</summary>
    public static async Task<IReadOnlyList<DateTimeOffset>> AheadAsync(RequestTransaction tx, long id) =>
        [.. (await tx.QueryAsync<DateTime>(Ahead, new { id })).Select(slot => new DateTimeOffset(slot))];

    private const string Select = """
        SELECT f.backfill_id, f.binding_id, f.tenant_id, b.environment, b.job_id, f.first_date, f.last_date, f.newest_first, f.rerun, f.parallelism, f.reason, f.requested_by, f.restatement_id,
               f.created_at, f.cancelled_at, f.finished_at,
               (SELECT json_object_agg(c.state, c.n) FROM (SELECT s.state, count(*) AS n FROM kpi_backfill_slot s WHERE s.backfill_id = f.backfill_id GROUP BY 1) c)::text AS counts
          FROM kpi_backfill f JOIN kpi_job_binding b USING (binding_id)
        """;

    private const string Find = Select + " WHERE f.backfill_id = @id AND (@tenants::text[] IS NULL OR f.tenant_id = ANY (@tenants))";

    public static Task<BackfillRow?> FindAsync(RequestTransaction tx, long id) => tx.FindAsync<BackfillRow>(Find, new { id, tenants = tx.Tenants });

    private const string List = Select + """
         WHERE EXISTS (SELECT FROM unnest(@tenants, @environments) AS g(tenant_id, environment)
                        WHERE g.tenant_id IN ('*', f.tenant_id) AND g.environment IN ('*', b.environment))
           AND (@tenant::text = '' OR f.tenant_id = @tenant) AND (@environment::text = '' OR b.environment = @environment) AND (@binding::bigint = 0 OR f.binding_id = @binding)
           AND (@after::bigint IS NULL OR f.backfill_id < @after) ORDER BY f.backfill_id DESC LIMIT @limit
        """;

    public static Task<IReadOnlyList<BackfillRow>> ListAsync(RequestTransaction tx, object parameters) => tx.QueryAsync<BackfillRow>(List, parameters);

    private const string Cancel = """
        WITH f AS (
          UPDATE kpi_backfill SET cancelled_at = now() WHERE backfill_id = @id AND cancelled_at IS NULL AND finished_at IS NULL RETURNING backfill_id
        ), s AS (
          UPDATE kpi_backfill_slot s SET state = 'cancelled' FROM f WHERE s.backfill_id = f.backfill_id AND s.state = 'pending'
        )
        SELECT count(*)::int FROM f
        """;

    /// <returns>False where it is over already.</returns>
    public static async Task<bool> CancelAsync(RequestTransaction tx, long id) => await tx.FindAsync<int>(Cancel, new { id }) == 1;

    private const string Open = """
        SELECT occurrence_at FROM kpi_backfill_slot WHERE backfill_id = @id AND state = 'queued'
        """;

    /// <summary>The occurrences of a backfill that are not known to have ended.</summary>
    public static async Task<IReadOnlyList<DateTimeOffset>> OpenAsync(RequestTransaction tx, long id) =>
        [.. (await tx.QueryAsync<DateTime>(Open, new { id })).Select(at => new DateTimeOffset(at))];
}

internal sealed record BackfillRow
{
    public long BackfillId { get; init; }
    public long BindingId { get; init; }
    public string TenantId { get; init; } = "";
    public string Environment { get; init; } = "";
    public string JobId { get; init; } = "";
    public DateOnly FirstDate { get; init; }
    public DateOnly LastDate { get; init; }
    public bool NewestFirst { get; init; }
    public bool Rerun { get; init; }
    /// <summary>Slots at once.</summary>
    public short Parallelism { get; init; } = 1;
    public string Reason { get; init; } = "";
    public string RequestedBy { get; init; } = "";
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? CancelledAt { get; init; }
    public DateTimeOffset? FinishedAt { get; init; }
    /// <summary>What it computes; null: the job's own view.</summary>
    public long? RestatementId { get; init; }
    /// <summary>JSON: slots by what became of them.</summary>
    public string? Counts { get; init; }
}
