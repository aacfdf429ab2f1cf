using KpiControl.Control.Requests;

namespace KpiControl.Control.Runs;

/// <summary>The live state of what a watcher may see.</summary>
internal static class WatchStore
{
    private const string StatesSql =
        """
        SELECT b.binding_id, b.def_id, b.tenant_id, b.environment, b.region, b.job_id, b.kpi_id, b.contract_version, d.content_hash,
               coalesce(v.value, b.schedule_cron) AS schedule_cron, b.timezone, b.active_flag, b.scd_view, b.revision, b.created_at, b.schedule_overridden OR v.value IS NOT NULL AS schedule_overridden, w.overrides_json,
               rt.last_run_at, rt.next_run_at, rt.last_status, rt.last_error, rt.retry_count, rt.queued, rt.fence_n,
               rt.paused_until, rt.paused_until > now() AS paused, rt.occ_scheduled_for, rt.occ_window_start, rt.occ_business_date,
               kpi_kind_name(rt.occ_kind) AS occ_kind, rt.occ_reason, rt.occ_state::text AS occ_state, rt.occ_retry_at,
               CASE WHEN rt.occ_state = 'L' THEN rt.attempt_id END AS attempt_id, s.agent, q.aside_json,
               COALESCE((SELECT CASE max(array_position('{pass,warn,breach}'::text[], c.state)) WHEN 1 THEN 'pass' WHEN 2 THEN 'warn' WHEN 3 THEN 'breach' END
                           FROM kpi_sla_clock c WHERE c.binding_id = b.binding_id), 'none') AS sla_state
          FROM kpi_job_binding b JOIN kpi_job_runtime rt USING (binding_id) JOIN kpi_job_def d USING (def_id)
          LEFT JOIN kpi_override v ON v.binding_id = b.binding_id AND v.kind = 'schedule' AND v.ended_at IS NULL AND v.expires_at > now()
          LEFT JOIN LATERAL (
            SELECT json_agg(json_build_object('override_id', o.override_id, 'binding_id', b.binding_id, 'tenant_id', b.tenant_id, 'environment', b.environment, 'job_id', b.job_id, 'kind', o.kind, 'value', o.value, 'reason', o.reason, 'created_by', o.created_by, 'created_at', o.created_at, 'expires_at', o.expires_at) ORDER BY o.kind)::text AS overrides_json
              FROM kpi_override o WHERE o.binding_id = b.binding_id AND o.ended_at IS NULL AND o.expires_at > now()) w ON true
          LEFT JOIN kpi_session s ON s.session_id = rt.session_id
          LEFT JOIN LATERAL (
            SELECT json_agg(json_build_object('occ_scheduled_for', a.occ_scheduled_for, 'occ_window_start', a.occ_window_start, 'occ_business_date', a.occ_business_date, 'occ_kind', kpi_kind_name(a.occ_kind),
                     'occ_reason', a.occ_reason, 'occ_state', a.occ_state::text, 'occ_retry_at', a.occ_retry_at, 'retry_count', a.retry_count, 'attempt_id', CASE WHEN a.occ_state = 'L' THEN a.attempt_id END, 'agent', t.agent)
                     ORDER BY a.occ_scheduled_for, a.occ_kind)::text AS aside_json
              FROM kpi_aside a LEFT JOIN kpi_session t ON t.session_id = a.session_id WHERE rt.aside > 0 AND a.binding_id = rt.binding_id) q ON true
         WHERE (@binding::bigint IS NULL OR b.binding_id = @binding)
           AND EXISTS (SELECT FROM unnest(@tenants, @environments) AS g(tenant_id, environment)
                        WHERE g.tenant_id IN ('*', b.tenant_id) AND g.environment IN ('*', b.environment))
           AND (@tenant::text = '' OR b.tenant_id = @tenant) AND (@environment::text = '' OR b.environment = @environment)
         ORDER BY b.binding_id
        """;

    public static Task<IReadOnlyList<JobState>> StatesAsync(RequestTransaction tx, WatchScope scope) => tx.QueryAsync<JobState>(StatesSql, new
    {
        binding = scope.Binding, tenants = scope.Read.Tenants, environments = scope.Read.Environments, tenant = scope.Tenant, environment = scope.Environment,
    });
}

/// <param name="Binding">Null: all that the caller may read.</param>
internal sealed record WatchScope(long? Binding, Security.ReadScope Read, string Tenant, string Environment);
