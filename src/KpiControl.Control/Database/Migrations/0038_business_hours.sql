-- Freshness that counts in the hours of a calendar's business days, as of the definition that the clock was planned by; NULL: in plain time.
ALTER TABLE kpi_sla_clock ADD COLUMN business_hours text;

CREATE OR REPLACE VIEW kpi_monitor_sla WITH (security_invoker = true) AS
  SELECT c.tenant_id, b.environment, b.region, b.job_id, c.binding_id, c.clock, c.state, c.target, c.grace,
         CASE WHEN c.clock <> 'latency' THEN c.warn_at END AS warn_at, CASE WHEN c.clock <> 'latency' THEN c.breach_at END AS breach_at, rt.good_through,
         e.episode_id, e.opened_at, e.breached_at, e.acknowledged_by, e.acknowledged_at, e.silenced_until, c.business_hours
    FROM kpi_sla_clock c JOIN kpi_job_binding b USING (binding_id) JOIN kpi_job_runtime rt USING (binding_id)
    LEFT JOIN kpi_sla_episode e ON e.binding_id = c.binding_id AND e.clock = c.clock AND e.resolved_at IS NULL;
