using Dapper;
using KpiControl.Control.Database;
using KpiControl.Control.Leases;
using Npgsql;

namespace KpiControl.Control.Signals;

/// <summary>What occurrences wait for, whether it is there, and the step from waiting to ready.</summary>
/// <remarks>
/// Nothing here locks. Whoever waits commits its wait rows and then looks for facts; whoever publishes commits the
/// fact and then looks for wait rows: one of the two sees the other.
/// </remarks>
internal sealed class DependencyStore(Databases databases)
{
    private const string OpenSql =
        """
        SELECT rt.binding_id, rt.occ_scheduled_for AS scheduled_for, rt.occ_business_date AS business_date, b.timezone
          FROM kpi_job_runtime rt JOIN kpi_job_binding b USING (binding_id)
         WHERE rt.binding_id = ANY(@ids) AND rt.occ_state = 'W' ORDER BY rt.binding_id
        """;

    /// <summary>Which of these bindings wait, and with which occurrence.</summary>
    public Task<List<WaitingOccurrence>> OpenAsync(long[] ids, CancellationToken token) => LookUpAsync<WaitingOccurrence>(OpenSql, new { ids }, token);

    // A row left by an earlier occurrence is overwritten; one of this occurrence keeps its "since".
    private const string InsertSql =
        """
        INSERT INTO kpi_occurrence_wait AS w (binding_id, dep_type, dep_value, tenant_id, environment, region,
               business_date, scheduled_for, window_start, need_through, max_age)
        SELECT rt.binding_id, d.dep_type, d.dep_value, d.tenant_id, b.environment, b.region, rt.occ_business_date,
               rt.occ_scheduled_for, rt.occ_window_start, CASE d.dep_type WHEN 'gdp' THEN x.through END, d.max_age
          FROM unnest(@ids, @slots, @through) AS x(binding_id, slot, through)
          JOIN kpi_job_runtime rt ON rt.binding_id = x.binding_id AND rt.occ_state = 'W' AND rt.occ_scheduled_for = x.slot
          JOIN kpi_job_binding b ON b.binding_id = rt.binding_id
          JOIN kpi_job_dependency d ON d.binding_id = rt.binding_id
         ORDER BY rt.binding_id, d.dep_type, d.dep_value
        ON CONFLICT (binding_id, dep_type, dep_value) DO UPDATE
           SET region = excluded.region, business_date = excluded.business_date, scheduled_for = excluded.scheduled_for,
               window_start = excluded.window_start, need_through = excluded.need_through, max_age = excluded.max_age, since = now()
         WHERE (w.scheduled_for, w.business_date, w.region) <> (excluded.scheduled_for, excluded.business_date, excluded.region)
        """;

    /// <summary>One row a dependency of each occurrence; again changes nothing.</summary>
    public Task InsertAsync(IReadOnlyList<WaitingOccurrence> waiting, IReadOnlyList<DateTimeOffset> through, CancellationToken token) =>
        ExecuteAsync(InsertSql, new
        {
            ids = waiting.Select(w => w.BindingId).ToArray(), slots = waiting.Select(w => w.ScheduledFor).ToArray(), through = through.ToArray(),
        }, token);

    // An undated signal serves a binding once. Two nodes that pick the same one for the same occurrence agree by the key.
    private const string ClaimSql =
        """
        INSERT INTO kpi_signal_use (signal_id, binding_id, tenant_id, scheduled_for)
        SELECT DISTINCT ON (w.binding_id, w.dep_value) s.signal_id, w.binding_id, w.tenant_id, w.scheduled_for
          FROM kpi_occurrence_wait w
          JOIN kpi_job_runtime rt ON rt.binding_id = w.binding_id AND rt.occ_state = 'W' AND rt.occ_scheduled_for = w.scheduled_for
          JOIN kpi_signal s ON s.tenant_id = w.tenant_id AND s.environment = w.environment AND s.name = w.dep_value
           AND s.business_date IS NULL AND (s.region IS NULL OR s.region = w.region) AND s.published_at > coalesce(w.window_start, '-infinity')
         WHERE w.binding_id = ANY(@ids) AND w.dep_type = 'signal'
           AND NOT EXISTS (SELECT FROM kpi_signal_use u WHERE u.signal_id = s.signal_id AND u.binding_id = w.binding_id)
           AND NOT EXISTS (SELECT FROM kpi_signal t
                 WHERE t.tenant_id = w.tenant_id AND t.environment = w.environment AND t.name = w.dep_value
                   AND (t.region IS NULL OR t.region = w.region)
                   AND (t.business_date = w.business_date OR t.business_date IS NULL AND EXISTS (SELECT FROM kpi_signal_use u
                         WHERE u.signal_id = t.signal_id AND u.binding_id = w.binding_id AND u.scheduled_for = w.scheduled_for)))
         ORDER BY w.binding_id, w.dep_value, s.published_at, s.signal_id
        ON CONFLICT DO NOTHING
        """;

    public Task ClaimUndatedAsync(long[] ids, CancellationToken token) => ExecuteAsync(ClaimSql, new { ids }, token);

    // A dependency without its wait row is not met: the row says which occurrence the dependency is looked at for.
    private const string StatesSql =
        """
        SELECT rt.binding_id, rt.occ_scheduled_for AS scheduled_for, rt.tenant_id, d.dep_type, d.dep_value,
               w.environment, w.region, rt.occ_business_date AS business_date, w.need_through, w.since,
               CASE d.dep_type
                 WHEN 'gdp' THEN EXISTS (SELECT FROM kpi_refresh f
                        WHERE f.tenant_id = w.tenant_id AND f.environment = w.environment AND f.dataset = w.dep_value
                          AND (f.region IS NULL OR f.region = w.region) AND f.data_through >= w.need_through
                          AND (w.max_age IS NULL OR f.published_at >= now() - w.max_age))
                 WHEN 'signal' THEN EXISTS (SELECT FROM kpi_signal s
                        WHERE s.tenant_id = w.tenant_id AND s.environment = w.environment AND s.name = w.dep_value
                          AND (s.region IS NULL OR s.region = w.region)
                          AND (s.business_date = w.business_date OR s.business_date IS NULL AND EXISTS (SELECT FROM kpi_signal_use u
                                WHERE u.signal_id = s.signal_id AND u.binding_id = w.binding_id AND u.scheduled_for = w.scheduled_for)))
                 ELSE false END AS met
          FROM kpi_job_runtime rt
          LEFT JOIN kpi_job_dependency d ON d.binding_id = rt.binding_id
          LEFT JOIN kpi_occurrence_wait w ON w.binding_id = d.binding_id AND w.dep_type = d.dep_type AND w.dep_value = d.dep_value
               AND w.scheduled_for = rt.occ_scheduled_for
         WHERE rt.binding_id = ANY(@ids) AND rt.occ_state = 'W'
         ORDER BY rt.binding_id, d.dep_type, d.dep_value
        """;

    /// <summary>Each dependency of each waiting occurrence; of KPIs it is not known yet whether they are met.</summary>
    public Task<List<DependencyState>> StatesAsync(long[] ids, CancellationToken token) => LookUpAsync<DependencyState>(StatesSql, new { ids }, token);

    private const string UpstreamSql =
        """
        SELECT x.n::int AS n, b.binding_id, b.schedule_cron, b.timezone, b.job_id, d.canonical_json, k.canonical_json AS calendar_json, b.overrides::text AS overrides_json, h.last_slot, coalesce(h.by_hand, false) AS by_hand
          FROM unnest(@tenants, @environments, @regions, @kpis, @dates) WITH ORDINALITY AS x(tenant_id, environment, region, kpi, business_date, n)
          JOIN kpi_job_binding b ON b.tenant_id = x.tenant_id AND b.environment = x.environment AND b.region = x.region
           AND b.kpi_id = split_part(x.kpi, '@', 1) AND b.contract_version = split_part(x.kpi, '@', 2) AND b.active_flag
          JOIN kpi_job_def d ON d.def_id = b.def_id AND d.computes_kpi
          LEFT JOIN kpi_calendar k ON k.tenant_id = b.tenant_id AND k.name = b.calendar AND k.version = b.calendar_version
          LEFT JOIN LATERAL (
            SELECT max(h.scheduled_for) AS last_slot, bool_or(h.trigger_kind = 'manual') AS by_hand
              FROM kpi_job_history h
             WHERE h.binding_id = b.binding_id AND h.recorded_at >= x.business_date::timestamptz - interval '1 day'
               AND h.business_date = x.business_date AND h.final AND h.status IN ('success', 'partial') AND h.trigger_kind <> 'restatement') h ON true
        """;

    /// <summary>The active bindings of a KPI at a version, and how far each succeeded for the business date.</summary>
    public Task<List<UpstreamKpi>> UpstreamAsync(IReadOnlyList<DependencyState> waits, CancellationToken token) =>
        ListAsync<UpstreamKpi>(UpstreamSql, new
        {
            tenants = waits.Select(w => w.TenantId).ToArray(), environments = waits.Select(w => w.Environment!).ToArray(),
            regions = waits.Select(w => w.Region!).ToArray(), kpis = waits.Select(w => w.DepValue!).ToArray(),
            dates = waits.Select(w => w.BusinessDate).ToArray(),
        }, token);

    private const string WakeSql =
        """
        WITH woken AS (
          UPDATE kpi_job_runtime rt SET occ_state = 'R', occ_reason = NULL
            FROM unnest(@ids, @slots) AS x(binding_id, slot)
           WHERE rt.binding_id = x.binding_id AND rt.occ_state = 'W' AND rt.occ_scheduled_for = x.slot
          RETURNING rt.binding_id, coalesce(rt.occ_lane, abs(rt.lane)) AS lane, rt.tenant_id, rt.occ_deadline
        ), done AS (
          DELETE FROM kpi_occurrence_wait w USING woken WHERE w.binding_id = woken.binding_id
        ), parking AS (
          SELECT binding_id, lane, tenant_id, 'R'::"char" AS state, now() AS ready_at, occ_deadline AS deadline FROM woken
        ),
        """ + ParkedList.Upsert +
        """
        SELECT woken.binding_id FROM woken, LATERAL (SELECT pg_notify('kpi', 'ready ' || lane), set_config('synchronous_commit', 'off', true)) AS told
        """;

    /// <summary>
    /// Waiting becomes ready, and its lane is told; whoever else did it first, or an occurrence that ended, is no row. It does not wait
    /// for its disk: the grant that follows does, for both, and what a crash takes before is found waiting and woken by the sweep.
    /// </summary>
    /// <returns>How many became ready.</returns>
    public async Task<int> WakeAsync(IReadOnlyList<WaitingOccurrence> ready, CancellationToken token)
    {
        // The pinned plans walk the array in its order: two wakes never lock each other's rows crosswise.
        await using var connection = await databases.Hot.OpenConnectionAsync(token);
        var ordered = ready.OrderBy(r => r.BindingId).ToList();
        return (await connection.QueryAsync<long>(new CommandDefinition(WakeSql, new
        {
            ids = ordered.Select(r => r.BindingId).ToArray(), slots = ordered.Select(r => r.ScheduledFor).ToArray(),
        }, cancellationToken: token))).Count();
    }

    // Nearly always nobody waits for a KPI: the EXISTS is looked at once and spares the bindings' rows then.
    private const string WaitersForKpisSql =
        """
        SELECT DISTINCT w.binding_id
          FROM kpi_job_binding b
          JOIN kpi_occurrence_wait w ON w.tenant_id = b.tenant_id AND w.environment = b.environment AND w.dep_type = 'kpi'
           AND w.dep_value = b.kpi_id || '@' || b.contract_version AND w.region = b.region
         WHERE b.binding_id = ANY(@ids) AND EXISTS (SELECT FROM kpi_occurrence_wait WHERE dep_type = 'kpi')
        """;

    public Task<List<long>> WaitersForKpisAsync(long[] ids, CancellationToken token) => LookUpAsync<long>(WaitersForKpisSql, new { ids }, token);

    private const string WaitersForSql =
        """
        SELECT binding_id FROM kpi_occurrence_wait
         WHERE tenant_id = @tenant AND environment = @environment AND dep_type = @type AND dep_value = @name
           AND (@region::text IS NULL OR region = @region)
        """;

    /// <param name="type"><c>gdp</c> or <c>signal</c>.</param>
    public Task<List<long>> WaitersForAsync(string type, string tenant, string environment, string? region, string name, CancellationToken token) =>
        LookUpAsync<long>(WaitersForSql, new { type, tenant, environment, region, name }, token);

    // A scan on purpose (75 ms a million rows): an index on occ_state would make every run a cold update.
    private const string AllWaitingSql = "SELECT binding_id FROM kpi_job_runtime WHERE occ_state = 'W' ORDER BY binding_id";

    public Task<List<long>> AllWaitingAsync(CancellationToken token) => ListAsync<long>(AllWaitingSql, null, token);

    private const string ForgetSql =
        """
        DELETE FROM kpi_occurrence_wait w
         WHERE NOT EXISTS (SELECT FROM kpi_job_runtime rt
                            WHERE rt.binding_id = w.binding_id AND rt.occ_state = 'W' AND rt.occ_scheduled_for = w.scheduled_for)
        """;

    /// <summary>Wait rows of occurrences that ended otherwise.</summary>
    public Task ForgetEndedAsync(CancellationToken token) => ExecuteAsync(ForgetSql, null, token);

    // What is looked up for few bindings is found by index: planned once, as all of the hot path is.
    private Task<List<T>> LookUpAsync<T>(string sql, object parameters, CancellationToken token) => ListAsync<T>(databases.Hot, sql, parameters, token);

    private Task<List<T>> ListAsync<T>(string sql, object? parameters, CancellationToken token) => ListAsync<T>(databases.Scheduler, sql, parameters, token);

    private static async Task<List<T>> ListAsync<T>(NpgsqlDataSource pool, string sql, object? parameters, CancellationToken token)
    {
        await using var connection = await pool.OpenConnectionAsync(token);
        return (await connection.QueryAsync<T>(new CommandDefinition(sql, parameters, cancellationToken: token))).AsList();
    }

    private async Task ExecuteAsync(string sql, object? parameters, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await connection.ExecuteAsync(new CommandDefinition(sql, parameters, cancellationToken: token));
    }
}
