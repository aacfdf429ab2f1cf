using KpiControl.Control.Requests;
using KpiControl.Control.Security;

namespace KpiControl.Control.Monitoring;

/// <summary>Counts what jobs do, and what became of what ended, by tenant, environment and region.</summary>
internal static class OverviewStore
{
    private const string InScope =
        """
               EXISTS (SELECT FROM unnest(@tenants::text[], @environments::text[]) AS g(tenant_id, environment)
                        WHERE g.tenant_id IN ('*', b.tenant_id) AND g.environment IN ('*', b.environment))
           AND (@tenant::text = '' OR b.tenant_id = @tenant) AND (@environment::text = '' OR b.environment = @environment) AND (@region::text = '' OR b.region = @region)
         GROUP BY b.tenant_id, b.environment, b.region
        """;

    private const string NowSql =
        """
        SELECT b.tenant_id, b.environment, b.region, count(*)::int AS jobs, count(*) FILTER (WHERE b.state = 'inactive')::int AS inactive,
               count(*) FILTER (WHERE b.state = 'paused')::int AS paused, count(*) FILTER (WHERE b.state = 'due')::int AS due, count(*) FILTER (WHERE b.state = 'waiting')::int AS waiting,
               count(*) FILTER (WHERE b.state = 'ready')::int AS ready, count(*) FILTER (WHERE b.state = 'leased')::int AS leased, sum(b.queued) AS queued,
               min(b.scheduled_for) FILTER (WHERE b.state IN ('due', 'ready')) AS oldest_due_at,
               count(*) FILTER (WHERE b.sla_state = 'warn')::int AS sla_warn, count(*) FILTER (WHERE b.sla_state = 'breach')::int AS sla_breach
          FROM kpi_monitor_job b WHERE
        """ + InScope + " ORDER BY 1, 2, 3";

    public static Task<IReadOnlyList<PlaceNow>> NowAsync(RequestTransaction tx, OverviewScope scope) => tx.QueryAsync<PlaceNow>(NowSql, scope.Parameters());

    // Binding by binding: history's index begins with it, and one of the time alone would be paid by every run.
    private const string EndedSql =
        """
        SELECT b.tenant_id, b.environment, b.region,
               count(*) FILTER (WHERE h.final AND h.status IN ('success', 'partial')) AS succeeded, count(*) FILTER (WHERE h.final AND h.status = 'failed') AS failed,
               count(*) FILTER (WHERE h.final AND h.status = 'suppressed') AS suppressed, count(*) FILTER (WHERE h.final AND h.status = 'cancelled') AS cancelled,
               coalesce(sum(h.slot_count) FILTER (WHERE h.final AND h.status = 'skipped'), 0) AS skipped,
               count(*) FILTER (WHERE h.attempt_id IS NOT NULL) AS attempts, count(*) FILTER (WHERE h.status = 'lost') AS lost,
               count(*) FILTER (WHERE h.is_first) AS started, count(*) FILTER (WHERE h.is_first AND h.started_at - h.scheduled_for <= interval '5 minutes') AS started_in_time,
               percentile_disc(0.95) WITHIN GROUP (ORDER BY h.started_at - h.scheduled_for) FILTER (WHERE h.is_first) AS start_delay_p95,
               percentile_disc(0.95) WITHIN GROUP (ORDER BY h.finished_at - h.started_at) FILTER (WHERE h.started_at IS NOT NULL AND h.finished_at IS NOT NULL) AS took_p95
          FROM kpi_job_binding b CROSS JOIN LATERAL (
            SELECT h.final, h.status, h.slot_count, h.attempt_id, h.scheduled_for, h.started_at, h.finished_at,
                   h.trigger_kind = 'schedule' AND h.retry_seq = 0 AND h.started_at IS NOT NULL AS is_first
              FROM kpi_job_history h WHERE h.binding_id = b.binding_id AND h.recorded_at >= @since::timestamptz) h
         WHERE
        """ + InScope;

    public static Task<IReadOnlyList<PlaceEnded>> EndedAsync(RequestTransaction tx, OverviewScope scope) => tx.QueryAsync<PlaceEnded>(EndedSql, scope.Parameters());

    private const string ErrorsSql =
        """
        SELECT b.tenant_id, b.environment, b.region, h.error_category, h.error_code, count(*) AS attempts, count(DISTINCT b.binding_id) AS jobs, max(h.recorded_at) AS last_at
          FROM kpi_job_binding b CROSS JOIN LATERAL (
            SELECT coalesce(h.error_category, h.reason, 'unknown') AS error_category, coalesce(h.error_code, '') AS error_code, h.recorded_at
              FROM kpi_job_history h WHERE h.binding_id = b.binding_id AND h.recorded_at >= @since::timestamptz
               AND (h.status IN ('failed', 'suppressed', 'lost') OR h.error_code IS NOT NULL)) h
         WHERE
        """ + InScope + ", h.error_category, h.error_code ORDER BY attempts DESC, error_category, error_code";

    public static Task<IReadOnlyList<PlaceError>> ErrorsAsync(RequestTransaction tx, OverviewScope scope) => tx.QueryAsync<PlaceError>(ErrorsSql, scope.Parameters());
}

internal sealed record OverviewScope(ReadScope Read, string Tenant, string Environment, string Region, DateTimeOffset Since)
{
    public object Parameters() => new { tenants = Read.Tenants, environments = Read.Environments, tenant = Tenant, environment = Environment, region = Region, since = Since };
}

internal sealed record PlaceNow
{
    public string TenantId { get; init; } = "";
    public string Environment { get; init; } = "";
    public string Region { get; init; } = "";
    public int Jobs { get; init; }
    public int Inactive { get; init; }
    public int Paused { get; init; }
    public int Due { get; init; }
    public int Waiting { get; init; }
    public int Ready { get; init; }
    public int Leased { get; init; }
    public long Queued { get; init; }
    public DateTimeOffset? OldestDueAt { get; init; }
    public int SlaWarn { get; init; }
    public int SlaBreach { get; init; }
}

internal sealed record PlaceEnded
{
    public string TenantId { get; init; } = "";
    public string Environment { get; init; } = "";
    public string Region { get; init; } = "";
    public long Succeeded { get; init; }
    public long Failed { get; init; }
    public long Suppressed { get; init; }
    public long Cancelled { get; init; }
    public long Skipped { get; init; }
    public long Attempts { get; init; }
    public long Lost { get; init; }
    /// <summary>First tries of scheduled occurrences.</summary>
    public long Started { get; init; }
    public long StartedInTime { get; init; }
    public TimeSpan? StartDelayP95 { get; init; }
    public TimeSpan? TookP95 { get; init; }
}

internal sealed record PlaceError
{
    public string TenantId { get; init; } = "";
    public string Environment { get; init; } = "";
    public string Region { get; init; } = "";
    public string ErrorCategory { get; init; } = "";
    public string ErrorCode { get; init; } = "";
    public long Attempts { get; init; }
    public long Jobs { get; init; }
    public DateTimeOffset LastAt { get; init; }
}
