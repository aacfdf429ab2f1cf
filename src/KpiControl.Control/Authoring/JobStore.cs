using Dapper;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Authoring;

/// <summary>A binding with its definition and runtime, as people see it.</summary>
internal sealed record JobRow
{
    public long BindingId { get; init; }
    public long DefId { get; init; }
    public required string TenantId { get; init; }
    public required string Environment { get; init; }
    public required string Region { get; init; }
    public required string JobId { get; init; }
    public required string KpiId { get; init; }
    public required string ContractVersion { get; init; }
    public required string ContentHash { get; init; }
    public required string ScheduleCron { get; init; }
    public required string Timezone { get; init; }
    public bool ActiveFlag { get; init; }
    public required string ScdView { get; init; }
    public int Revision { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public bool ScheduleOverridden { get; init; }
    public string? Calendar { get; init; }
    public int? CalendarVersion { get; init; }
    public required string ContractDigest { get; init; }
    public required string Format { get; init; }
    public required string Content { get; init; }
    public required string CanonicalJson { get; init; }
    public DateTimeOffset? LastRunAt { get; init; }
    public DateTimeOffset? NextRunAt { get; init; }
    public string? LastStatus { get; init; }
    public string? LastError { get; init; }
    public int RetryCount { get; init; }
    public bool Paused { get; init; }
    /// <summary>Null where the pause has no end.</summary>
    public DateTimeOffset? PausedUntil { get; init; }
    public string? PauseReason { get; init; }
    public int Queued { get; init; }
    public string SlaState { get; init; } = "none";
}

internal sealed record OpenRow
{
    public long BindingId { get; init; }
    public DateTimeOffset ScheduledFor { get; init; }
    public DateTimeOffset? WindowStart { get; init; }
    public DateOnly BusinessDate { get; init; }
    public required string State { get; init; }
    public short? Reason { get; init; }
    public required string TriggerKind { get; init; }
    public int RetryCount { get; init; }
    public Guid? AttemptId { get; init; }
    public string? Agent { get; init; }
    public DateTimeOffset? OccRetryAt { get; init; }
    public required string[] Missing { get; init; }
}

internal sealed record AttachedRow
{
    public long BindingId { get; init; }
    public required string Type { get; init; }
    public required string Value { get; init; }
    public string Severity { get; init; } = "";
}

/// <summary>Reads bindings for people.</summary>
internal static class JobStore
{
    // A pause that has run out is over, though nobody has written that down yet.
    private const string Select = """
        SELECT b.binding_id, b.def_id, b.tenant_id, b.environment, b.region, b.job_id, b.kpi_id, b.contract_version, d.content_hash,
               b.schedule_cron, b.timezone, b.active_flag, b.scd_view, b.revision, b.created_at, b.schedule_overridden, b.calendar, b.calendar_version, r.contract_digest,
               d.format, d.content, d.canonical_json, rt.last_run_at, rt.next_run_at, rt.last_status, rt.last_error, rt.retry_count,
               COALESCE(rt.paused_until > now(), false) AS paused,
               CASE WHEN rt.paused_until > now() THEN NULLIF(rt.paused_until, 'infinity') END AS paused_until,
               CASE WHEN rt.paused_until > now() THEN
                 (SELECT p.reason FROM kpi_pause p WHERE p.binding_id = b.binding_id ORDER BY p.pause_id DESC LIMIT 1) END AS pause_reason,
               rt.queued, COALESCE((SELECT CASE max(array_position('{pass,warn,breach}'::text[], c.state)) WHEN 1 THEN 'pass' WHEN 2 THEN 'warn' WHEN 3 THEN 'breach' END
                           FROM kpi_sla_clock c WHERE c.binding_id = b.binding_id), 'none') AS sla_state
          FROM kpi_job_binding b
          JOIN kpi_job_def d USING (def_id)
          JOIN kpi_job_runtime rt USING (binding_id)
          JOIN kpi_binding_revision r ON r.binding_id = b.binding_id AND r.revision = b.revision
        """;

    private const string Find = Select + " WHERE b.binding_id = @bindingId AND (@tenants::text[] IS NULL OR b.tenant_id = ANY (@tenants))";

    public static async Task<JobRow> FindAsync(RequestTransaction tx, long bindingId) =>
        await tx.FindAsync<JobRow>(Find, new { bindingId, tenants = tx.Tenants }) ?? throw new InvalidOperationException("A job that was found is gone.");

    private const string Page = """
        SELECT b.binding_id FROM kpi_job_binding b JOIN kpi_job_runtime rt USING (binding_id)
         WHERE EXISTS (SELECT FROM unnest(@tenants::text[], @environments::text[]) AS g(tenant, environment)
                        WHERE g.tenant IN ('*', b.tenant_id) AND g.environment IN ('*', b.environment))
           AND (@tenant::text = '' OR b.tenant_id = @tenant) AND b.binding_id > @after
           AND (@environment::text = '' OR b.environment = @environment) AND (@region::text = '' OR b.region = @region)
        """;

    private const string These = Select + " WHERE b.binding_id = ANY (@ids) ORDER BY b.binding_id";

    public static readonly IReadOnlyDictionary<string, FilterColumn> FilterColumns = new Dictionary<string, FilterColumn>
    {
        ["job_id"] = new("b.job_id"), ["kpi_id"] = new("b.kpi_id"), ["contract_version"] = new("b.contract_version"), ["region"] = new("b.region"),
        ["last_status"] = new("rt.last_status"), ["paused"] = new("COALESCE(rt.paused_until > now(), false)", IsBoolean: true),
        ["active"] = new("b.active_flag", IsBoolean: true),
    };

    // In two steps: which they are is planned for what is asked, each time; all that is shown of them has one plan, which is by far the dearer to make.
    public static async Task<IReadOnlyList<JobRow>> PageAsync(RequestTransaction tx, ReadScope scope, ListJobsRequest asked, long after, int limit)
    {
        var parameters = new DynamicParameters(new
        {
            tenants = scope.Tenants, environments = scope.Environments, tenant = asked.Tenant, environment = asked.Environment, region = asked.Region, after, limit,
        });
        var ids = await tx.QueryAsync<long>(Page + Filter.ToSql(asked.Filter, FilterColumns, parameters) + " ORDER BY b.binding_id LIMIT @limit", parameters);
        return await tx.QueryAsync<JobRow>(These, new { ids = ids.ToArray() });
    }

    private const string Dependencies = """
        SELECT binding_id, dep_type AS type, dep_value AS value FROM kpi_job_dependency WHERE binding_id = ANY (@ids) ORDER BY binding_id, dep_type, dep_value
        """;

    public static Task<IReadOnlyList<AttachedRow>> DependenciesAsync(RequestTransaction tx, long[] ids) => tx.QueryAsync<AttachedRow>(Dependencies, new { ids });

    private const string Alerts = """
        SELECT binding_id, channel_type AS type, channel_value AS value, severity FROM kpi_alert_route WHERE binding_id = ANY (@ids) ORDER BY binding_id, channel_value, severity
        """;

    public static Task<IReadOnlyList<AttachedRow>> AlertsAsync(RequestTransaction tx, long[] ids) => tx.QueryAsync<AttachedRow>(Alerts, new { ids });

    // What is there already is not missing; whether a KPI is there is not known in SQL, and explain says it exactly.
    private const string Open = """
        SELECT o.binding_id, o.scheduled_for, o.window_start, o.business_date, o.state, o.reason, o.retry_count, o.attempt_id,
               o.occ_retry_at, kpi_kind_name(o.kind) AS trigger_kind, s.agent,
               ARRAY(SELECT w.dep_type || ' ' || w.dep_value || CASE
                              WHEN w.dep_type = 'signal' THEN ' for ' || w.business_date
                              WHEN w.dep_type = 'kpi' THEN ' to succeed for ' || w.business_date
                              WHEN isfinite(w.need_through) THEN ' with data through ' || to_char(w.need_through AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') ELSE '' END
                              || ', since ' || to_char(w.since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                       FROM kpi_occurrence_wait w
                      WHERE w.binding_id = o.binding_id AND w.scheduled_for = o.scheduled_for AND o.state = 'waiting'
                        AND NOT (w.dep_type = 'gdp' AND EXISTS (SELECT FROM kpi_refresh f
                              WHERE f.tenant_id = w.tenant_id AND f.environment = w.environment AND f.dataset = w.dep_value
                                AND (f.region IS NULL OR f.region = w.region) AND f.data_through >= w.need_through
                                AND (w.max_age IS NULL OR f.published_at >= now() - w.max_age)))
                        AND NOT (w.dep_type = 'signal' AND EXISTS (SELECT FROM kpi_signal s
                              WHERE s.tenant_id = w.tenant_id AND s.environment = w.environment AND s.name = w.dep_value
                                AND (s.region IS NULL OR s.region = w.region)
                                AND (s.business_date = w.business_date OR s.business_date IS NULL AND EXISTS (SELECT FROM kpi_signal_use u
                                      WHERE u.signal_id = s.signal_id AND u.binding_id = w.binding_id AND u.scheduled_for = w.scheduled_for))))
                      ORDER BY 1) AS missing
          FROM (SELECT *, row_number() OVER (PARTITION BY binding_id ORDER BY state = 'queued', scheduled_for) AS place FROM kpi_open_occurrence WHERE binding_id = ANY (@ids)) o
          LEFT JOIN kpi_session s USING (session_id)
         WHERE o.place = 1 OR o.state <> 'queued'
         ORDER BY o.binding_id, o.place
        """;

    /// <summary>Of each binding what is open, the oldest first, or the first that queues.</summary>
    public static Task<IReadOnlyList<OpenRow>> OpenAsync(RequestTransaction tx, long[] ids) => tx.QueryAsync<OpenRow>(Open, new { ids });

    private const string NextRun = """
        SELECT next_run_at FROM kpi_job_runtime WHERE binding_id = @bindingId
        """;

    public static async Task<DateTimeOffset?> NextRunAsync(RequestTransaction tx, long bindingId) => await tx.FindAsync<DateTime?>(NextRun, new { bindingId });
}
