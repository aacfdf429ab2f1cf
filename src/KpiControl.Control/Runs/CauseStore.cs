using KpiControl.Control.Authoring;
using KpiControl.Control.Leases;
using KpiControl.Control.Requests;

namespace KpiControl.Control.Runs;

/// <summary>Reads what made an occurrence wait, late or skipped: others of the job, what it depends on, its contract.</summary>
internal static class CauseStore
{
    private const string Others =
        """
        SELECT h.run_id, h.trigger_kind AS kind, h.scheduled_for, h.started_at, h.finished_at, h.status, h.final, s.agent
          FROM kpi_job_history h LEFT JOIN kpi_session s USING (session_id) WHERE h.binding_id = @binding
        """;

    private const string HolderSql = Others +
        """
           AND h.recorded_at >= @at::timestamptz AND h.started_at <= @at AND (h.trigger_kind <> @kind OR h.scheduled_for <> @at)
         ORDER BY h.recorded_at, h.run_id LIMIT 1
        """;

    /// <summary>The attempt that ran while another slot came due.</summary>
    public static Task<OtherRow?> HolderAsync(RequestTransaction tx, long binding, SlotKey slot) =>
        tx.FindAsync<OtherRow>(HolderSql, new { binding, at = slot.ScheduledFor, kind = slot.Kind });

    private const string InItsPlaceSql = Others +
        """
           AND h.recorded_at >= @at::timestamptz AND h.trigger_kind = 'schedule' AND h.scheduled_for > @at AND h.status <> 'skipped'
         ORDER BY h.scheduled_for, h.recorded_at DESC LIMIT 1
        """;

    /// <summary>The next slot that ran.</summary>
    public static Task<OtherRow?> InItsPlaceAsync(RequestTransaction tx, long binding, DateTimeOffset at) => tx.FindAsync<OtherRow>(InItsPlaceSql, new { binding, at });

    // A replay or a backfill of a date comes after its slot, and a trigger may come a day before it.
    private const string OfTheDateSql = Others +
        """
           AND h.recorded_at >= @at::timestamptz - interval '2 days' AND h.business_date = @date AND h.final AND h.status <> 'skipped' AND (h.trigger_kind <> @kind OR h.scheduled_for <> @at)
         ORDER BY h.recorded_at, h.run_id LIMIT 20
        """;

    /// <summary>Other occurrences that ran for the business date.</summary>
    public static Task<IReadOnlyList<OtherRow>> OfTheDateAsync(RequestTransaction tx, long binding, SlotKey slot, DateOnly date) =>
        tx.QueryAsync<OtherRow>(OfTheDateSql, new { binding, date, at = slot.ScheduledFor, kind = slot.Kind });

    private const string ArrivalsSql =
        """
        SELECT d.dep_type, d.dep_value, a.at, a.by, a.reference
          FROM kpi_job_dependency d JOIN kpi_job_binding b USING (binding_id)
          LEFT JOIN LATERAL (
            SELECT * FROM (
              SELECT s.published_at AS at, s.published_by AS by, 'signal/' || s.signal_id AS reference FROM kpi_signal s
               WHERE d.dep_type = 'signal' AND s.tenant_id = b.tenant_id AND s.environment = b.environment AND s.name = d.dep_value AND (s.region IS NULL OR s.region = b.region)
                 AND (s.business_date = @date OR s.business_date IS NULL AND EXISTS (
                   SELECT FROM kpi_signal_use u WHERE u.signal_id = s.signal_id AND u.binding_id = d.binding_id AND u.scheduled_for = @at))
              UNION ALL
              SELECT f.published_at, f.published_by, 'refresh/' || f.refresh_id FROM kpi_refresh f
               WHERE d.dep_type = 'gdp' AND f.tenant_id = b.tenant_id AND f.environment = b.environment AND f.dataset = d.dep_value AND (f.region IS NULL OR f.region = b.region)
                 AND f.data_through >= @through::timestamptz
              UNION ALL
              SELECT h.recorded_at, o.job_id, 'run/' || h.run_id FROM kpi_job_binding o JOIN kpi_job_history h USING (binding_id)
               WHERE d.dep_type = 'kpi' AND o.tenant_id = b.tenant_id AND o.environment = b.environment AND o.region = b.region AND o.active_flag
                 AND o.kpi_id = split_part(d.dep_value, '@', 1) AND o.contract_version = split_part(d.dep_value, '@', 2)
                 AND h.recorded_at >= @date::date::timestamptz - interval '1 day' AND h.business_date = @date AND h.final AND h.status IN ('success', 'partial')) found
             ORDER BY at LIMIT 1) a ON true
         WHERE d.binding_id = @binding ORDER BY d.dep_type, d.dep_value
        """;

    /// <summary>When each thing that the job depends on was there for a business date, and by whom; those that never came too.</summary>
    /// <param name="through">The end of that date: as far as data must reach.</param>
    public static Task<IReadOnlyList<ArrivalRow>> ArrivalsAsync(RequestTransaction tx, long binding, DateTimeOffset at, DateOnly date, DateTimeOffset through) =>
        tx.QueryAsync<ArrivalRow>(ArrivalsSql, new { binding, at, date, through });

    private const string ContractStatusSql = "SELECT status FROM kpi_contract WHERE tenant_id = @TenantId AND kpi_id = @KpiId AND version = @ContractVersion";

    /// <summary>Of the contract that a binding names now; null where there is none.</summary>
    public static Task<string?> ContractStatusAsync(RequestTransaction tx, Binding binding) => tx.FindAsync<string>(ContractStatusSql, new { binding.TenantId, binding.KpiId, binding.ContractVersion });

    private const string ContractMoveSql =
        """
        SELECT recorded_at AS at, actor, reason, after ->> 'status' AS status, object_id AS contract FROM kpi_audit
         WHERE tenant_id = @tenant AND recorded_at BETWEEN @from::timestamptz AND @until::timestamptz AND object_kind = 'contract' AND object_id = @contract AND after IS NOT NULL
         ORDER BY recorded_at DESC, audit_id DESC LIMIT 1
        """;

    /// <summary>Who last moved a contract's status before an instant, and since a job was put in force.</summary>
    public static Task<ContractMoveRow?> ContractMoveAsync(RequestTransaction tx, string tenant, string contract, DateTimeOffset from, DateTimeOffset until) =>
        tx.FindAsync<ContractMoveRow>(ContractMoveSql, new { tenant, contract, from, until });
}

/// <summary>Another occurrence of the job.</summary>
internal sealed record OtherRow
{
    public long RunId { get; init; }
    public string Kind { get; init; } = "";
    public DateTimeOffset ScheduledFor { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? FinishedAt { get; init; }
    public string Status { get; init; } = "";
    public bool Final { get; init; }
    public string? Agent { get; init; }
}

internal sealed record ArrivalRow
{
    public string DepType { get; init; } = "";
    public string DepValue { get; init; } = "";
    /// <summary>Null: it has not come.</summary>
    public DateTimeOffset? At { get; init; }
    public string? By { get; init; }
    public string? Reference { get; init; }
}

internal sealed record ContractMoveRow
{
    public DateTimeOffset At { get; init; }
    public string Actor { get; init; } = "";
    public string Reason { get; init; } = "";
    public string? Status { get; init; }
    public string Contract { get; init; } = "";
}
