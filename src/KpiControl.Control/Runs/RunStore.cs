using Dapper;
using KpiControl.Control.Leases;
using KpiControl.Control.Requests;

namespace KpiControl.Control.Runs;

/// <summary>Reads history and evidence.</summary>
internal static class RunStore
{
    /// <summary>Of a row <c>h</c> with its definition <c>d</c> and <see cref="OtherView"/>: in which view its number is, which it restates, and which restate it.</summary>
    internal const string Views =
        """
         CASE h.trigger_kind WHEN 'restatement' THEN 'restated' ELSE coalesce(d.canonical_json::jsonb #>> '{runtime,scd_view}', 'as_reported') END AS scd_view,
               o.restatement_id, o.restates_run_id,
               CASE WHEN h.final AND h.status IN ('success', 'partial') THEN ARRAY(
                 SELECT p.run_id FROM kpi_restatement_slot t JOIN kpi_backfill q USING (restatement_id)
                   JOIN kpi_backfill_slot p ON p.backfill_id = q.backfill_id AND p.business_date = t.business_date
                  WHERE t.run_id = h.run_id AND t.binding_id = h.binding_id AND p.state IN ('success', 'partial') ORDER BY p.run_id) END AS restated_by
        """;

    internal const string OtherView =
        """
         LEFT JOIN LATERAL (
            SELECT t.restatement_id, t.run_id AS restates_run_id FROM kpi_backfill_slot p JOIN kpi_backfill q USING (backfill_id)
              JOIN kpi_restatement_slot t ON t.restatement_id = q.restatement_id AND t.business_date = p.business_date
             WHERE h.trigger_kind = 'restatement' AND p.binding_id = h.binding_id AND p.occurrence_at = h.scheduled_for) o ON true
        """;

    private const string Select =
        """
        SELECT h.run_id, h.recorded_at, h.binding_id, h.scheduled_for, h.window_start, h.started_at, h.finished_at, h.slot_last, h.rows_processed,
               h.revision, h.retry_seq, h.fence_epoch, h.data_points, h.slot_count, h.business_date, h.final, h.sla_breached, h.attempt_id,
               h.tenant_id, h.status, h.trigger_kind, h.reason, h.error_category, h.error_code, h.error_message, h.lineage_ref, h.result_digest,
               b.environment, b.region, b.job_id, b.kpi_id, b.contract_version, coalesce(d.content_hash, '') AS content_hash, s.agent,
        """ + Views + """

          FROM kpi_job_history h
          JOIN kpi_job_binding b ON b.binding_id = h.binding_id
          LEFT JOIN kpi_binding_revision r ON r.binding_id = h.binding_id AND r.revision = h.revision
          LEFT JOIN kpi_job_def d ON d.def_id = r.def_id
          LEFT JOIN kpi_session s ON s.session_id = h.session_id
        """ + OtherView;

    private const string InScope =
        """
         EXISTS (SELECT FROM unnest(@tenants, @environments) AS g(tenant_id, environment)
                        WHERE g.tenant_id IN ('*', b.tenant_id) AND g.environment IN ('*', b.environment))
        """;

    private const string OfBindingSql = Select +
        """
         WHERE h.binding_id = @binding AND (@at::timestamptz IS NULL OR (h.recorded_at, h.run_id) < (@at, @run::bigint))
        """;

    private const string NewestRecorded = " ORDER BY h.recorded_at DESC, h.run_id DESC LIMIT @limit";

    /// <param name="filter">Conditions that begin with AND.</param>
    public static Task<IReadOnlyList<RunRow>> OfBindingAsync(RequestTransaction tx, string filter, DynamicParameters parameters) =>
        tx.QueryAsync<RunRow>(OfBindingSql + filter + NewestRecorded, parameters);

    // By the number of the grant: the partitions' own keys give the newest without sorting a month. An index on
    // recorded_at would be paid by every run.
    private const string OfAllSql = Select +
        """
         WHERE (@run::bigint IS NULL OR h.run_id < @run) AND (@tenant::text = '' OR b.tenant_id = @tenant)
           AND (@environment::text = '' OR b.environment = @environment) AND
        """ + InScope;

    private const string NewestGranted = " ORDER BY h.run_id DESC LIMIT @limit";

    public static Task<IReadOnlyList<RunRow>> OfAllAsync(RequestTransaction tx, string filter, DynamicParameters parameters) =>
        tx.QueryAsync<RunRow>(OfAllSql + filter + NewestGranted, parameters);

    private const string FindSql = Select + " WHERE h.run_id = @run AND (@tenants::text[] IS NULL OR h.tenant_id = ANY (@tenants)) ORDER BY h.recorded_at LIMIT 1";

    public static Task<RunRow?> FindAsync(RequestTransaction tx, long run) => tx.FindAsync<RunRow>(FindSql, new { run, tenants = tx.Tenants });

    // Without an index of its own, which every run would pay for: the UUID says when it was minted, and that bounds the search.
    private const string FindAttemptSql = Select +
        """
         WHERE h.attempt_id = @attempt AND h.recorded_at >= @minted::timestamptz - interval '1 hour' AND h.recorded_at < @minted::timestamptz + interval '8 days'
           AND (@tenants::text[] IS NULL OR h.tenant_id = ANY (@tenants)) ORDER BY h.recorded_at LIMIT 1
        """;

    public static Task<RunRow?> FindAsync(RequestTransaction tx, Guid attempt, DateTimeOffset minted) =>
        tx.FindAsync<RunRow>(FindAttemptSql, new { attempt, minted, tenants = tx.Tenants });

    private const string EvidenceSql =
        """
        SELECT kind, attempt_id, recorded_at, document::text AS document FROM kpi_evidence
         WHERE run_id = @RunId AND binding_id = @BindingId AND kind = 'run' ORDER BY recorded_at LIMIT 1
        """;

    public static Task<EvidenceRow?> EvidenceAsync(RequestTransaction tx, RunRow run) => tx.FindAsync<EvidenceRow>(EvidenceSql, new { run.RunId, run.BindingId });

    private const string LateReportsSql =
        """
        SELECT kind, attempt_id, recorded_at, document::text AS document FROM kpi_evidence
         WHERE binding_id = @BindingId AND recorded_at >= @ScheduledFor::timestamptz - interval '1 day' AND kind <> 'run'
           AND document->>'slot_key' = @slot ORDER BY recorded_at LIMIT 100
        """;

    /// <summary>Reports of the occurrence's attempts that were stale or refused.</summary>
    public static Task<IReadOnlyList<EvidenceRow>> LateReportsAsync(RequestTransaction tx, long bindingId, SlotKey slot) =>
        tx.QueryAsync<EvidenceRow>(LateReportsSql, new { BindingId = bindingId, slot.ScheduledFor, slot = slot.ToString() });

    private const string OfSlotSql = Select +
        """
         WHERE h.binding_id = @binding AND h.recorded_at >= @slot::timestamptz - interval '1 day' AND h.trigger_kind = @kind
           AND (h.scheduled_for = @slot OR h.slot_last IS NOT NULL AND @slot BETWEEN h.scheduled_for AND h.slot_last)
         ORDER BY h.recorded_at, h.run_id LIMIT 100
        """;

    /// <summary>All rows of an occurrence, also of a stretch of slots that it lies in.</summary>
    public static Task<IReadOnlyList<RunRow>> OfSlotAsync(RequestTransaction tx, long binding, SlotKey slot) =>
        tx.QueryAsync<RunRow>(OfSlotSql, new { binding, slot = slot.ScheduledFor, kind = slot.Kind });

    private const string OfRunsSql = Select + " WHERE h.run_id = ANY (@runs) AND h.binding_id = @binding ORDER BY h.run_id";

    /// <summary>Runs of a binding by their numbers.</summary>
    public static Task<IReadOnlyList<RunRow>> OfRunsAsync(RequestTransaction tx, long binding, long[] runs) => tx.QueryAsync<RunRow>(OfRunsSql, new { binding, runs });

    private const string OfPeriodSql = Select +
        """
         WHERE h.binding_id = ANY (@bindings) AND h.recorded_at >= @first::date::timestamptz - interval '1 day' AND h.business_date BETWEEN @first AND @last
         ORDER BY h.business_date, h.recorded_at, h.run_id LIMIT @limit
        """;

    /// <summary>Every row of a period of business dates, by date.</summary>
    public static Task<IReadOnlyList<RunRow>> OfPeriodAsync(RequestTransaction tx, long[] bindings, DateOnly first, DateOnly last, int limit) =>
        tx.QueryAsync<RunRow>(OfPeriodSql, new { bindings, first, last, limit });

    public const int SincePage = 1000;

    private const string SinceSql = Select +
        """
         WHERE h.binding_id = ANY (@bindings) AND h.recorded_at >= @since::timestamptz AND (h.recorded_at > @since OR h.run_id > @after)
         ORDER BY h.recorded_at, h.run_id LIMIT @limit
        """;

    /// <summary>A page of what was recorded from an instant on; of that instant itself, the runs after a number.</summary>
    public static Task<IReadOnlyList<RunRow>> SinceAsync(RequestTransaction tx, long[] bindings, DateTimeOffset since, long after) =>
        tx.QueryAsync<RunRow>(SinceSql, new { bindings, since, after, limit = SincePage });

    private const string DefinitionSql = "SELECT canonical_json FROM kpi_job_def WHERE def_id = @def";

    public static async Task<string> DefinitionAsync(RequestTransaction tx, long def) => await tx.FindAsync<string>(DefinitionSql, new { def }) ?? "{}";

    private const string NowSql = "SELECT now() AS now";

    // A bare timestamptz would be read as a DateTime: Dapper converts members, not scalars.
    public static async Task<DateTimeOffset> NowAsync(RequestTransaction tx) => (await tx.FindAsync<Clock>(NowSql))!.Now;

    private sealed record Clock
    {
        public DateTimeOffset Now { get; init; }
    }
}
