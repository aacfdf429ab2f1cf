-- What monitoring reads: names that stay, over tables that may change, in the platform's own words (spec: causes, dispositions, error
-- categories, SLA states). Always current. As whoever asks: a caller's tenants for requests, all of them for the reader.

-- Each binding with its audit surface and what it does now.
CREATE VIEW kpi_monitor_job WITH (security_invoker = true) AS
  SELECT b.tenant_id, b.environment, b.region, b.job_id, b.binding_id, b.kpi_id, b.contract_version, d.content_hash,
         coalesce(v.value, b.schedule_cron) AS schedule_cron, b.timezone, d.canonical_json::jsonb ->> 'criticality' AS criticality,
         CASE WHEN rt.occ_state = 'L' THEN 'leased' WHEN NOT b.active_flag THEN 'inactive' WHEN rt.paused_until > now() THEN 'paused'
              WHEN rt.occ_state = 'W' THEN 'waiting' WHEN rt.occ_state = 'R' THEN 'ready' WHEN rt.next_run_at <= now() THEN 'due' ELSE 'idle' END AS state,
         CASE WHEN rt.occ_state IN ('W', 'R') THEN (ARRAY['dependency', 'retry', 'no_agent', 'no_credit', 'lease_lost', 'returned'])[rt.occ_reason] END AS reason,
         CASE WHEN rt.occ_state IS NOT NULL THEN kpi_kind_name(rt.occ_kind) END AS cause,
         CASE WHEN rt.occ_state IS NOT NULL THEN rt.occ_scheduled_for WHEN rt.next_run_at <= now() THEN rt.next_run_at END AS scheduled_for,
         CASE WHEN rt.occ_state IS NOT NULL THEN rt.occ_business_date END AS business_date,
         CASE WHEN rt.occ_state IS NOT NULL THEN rt.retry_count + 1 END AS try_number, rt.queued,
         CASE WHEN rt.occ_state = 'L' THEN s.agent END AS agent,
         CASE WHEN rt.paused_until > now() THEN rt.paused_until END AS paused_until,
         rt.last_run_at, rt.last_status, rt.last_error, rt.next_run_at, rt.good_through,
         coalesce((SELECT CASE max(array_position('{pass,warn,breach}'::text[], c.state)) WHEN 1 THEN 'pass' WHEN 2 THEN 'warn' WHEN 3 THEN 'breach' END
                     FROM kpi_sla_clock c WHERE c.binding_id = b.binding_id), 'none') AS sla_state
    FROM kpi_job_binding b JOIN kpi_job_runtime rt USING (binding_id) JOIN kpi_job_def d USING (def_id)
    LEFT JOIN kpi_override v ON v.binding_id = b.binding_id AND v.kind = 'schedule' AND v.ended_at IS NULL AND v.expires_at > now()
    LEFT JOIN kpi_session s ON s.session_id = rt.session_id;

-- Each attempt, and each slot or stretch of slots that did not run. Name binding_id and recorded_at where history is long.
CREATE VIEW kpi_monitor_run WITH (security_invoker = true) AS
  SELECT h.tenant_id, b.environment, b.region, b.job_id, h.binding_id, b.kpi_id, r.contract_version, h.run_id, h.attempt_id, h.recorded_at, h.trigger_kind AS cause,
         h.status, h.reason, h.error_category, h.error_code, h.error_message, h.retry_seq + 1 AS try_number, h.final,
         h.scheduled_for, h.slot_last, h.slot_count, h.window_start, h.business_date, h.started_at, h.finished_at,
         h.started_at - h.scheduled_for AS start_delay, h.finished_at - h.started_at AS took, h.rows_processed, h.data_points, h.sla_breached, h.lineage_ref, s.agent
    FROM kpi_job_history h JOIN kpi_job_binding b USING (binding_id)
    LEFT JOIN LATERAL (SELECT d.canonical_json::jsonb ->> 'contract_version' AS contract_version
                         FROM kpi_binding_revision v JOIN kpi_job_def d USING (def_id) WHERE v.binding_id = h.binding_id AND v.revision = h.revision) r ON true
    LEFT JOIN kpi_session s ON s.session_id = h.session_id;

-- What occurrences wait for, and since when.
CREATE VIEW kpi_monitor_wait WITH (security_invoker = true) AS
  SELECT w.tenant_id, w.environment, w.region, b.job_id, w.binding_id, w.dep_type, w.dep_value, w.business_date, w.scheduled_for, w.since, now() - w.since AS waited,
         CASE WHEN rt.occ_state IS NOT NULL THEN rt.occ_deadline END AS gives_up_at
    FROM kpi_occurrence_wait w JOIN kpi_job_binding b USING (binding_id) LEFT JOIN kpi_job_runtime rt USING (binding_id);

-- Each promise, how it stands, and the episode that is open.
CREATE VIEW kpi_monitor_sla WITH (security_invoker = true) AS
  SELECT c.tenant_id, b.environment, b.region, b.job_id, c.binding_id, c.clock, c.state, c.target, c.grace,
         CASE WHEN c.clock <> 'latency' THEN c.warn_at END AS warn_at, CASE WHEN c.clock <> 'latency' THEN c.breach_at END AS breach_at, rt.good_through,
         e.episode_id, e.opened_at, e.breached_at, e.acknowledged_by, e.acknowledged_at, e.silenced_until
    FROM kpi_sla_clock c JOIN kpi_job_binding b USING (binding_id) JOIN kpi_job_runtime rt USING (binding_id)
    LEFT JOIN kpi_sla_episode e ON e.binding_id = c.binding_id AND e.clock = c.clock AND e.resolved_at IS NULL;

-- What became of the occurrences that ended in an hour, of the last 31 days: the platform's figures of execution. A share is of what was
-- to run: what was skipped or cancelled is in none. Late starts are those of scheduled occurrences, by their first try.
CREATE VIEW kpi_monitor_execution WITH (security_invoker = true) AS
  SELECT h.tenant_id, b.environment, b.region, date_trunc('hour', h.recorded_at, 'UTC') AS hour,
         coalesce(sum(h.slot_count) FILTER (WHERE h.final), 0) AS occurrences,
         count(*) FILTER (WHERE h.final AND h.status IN ('success', 'partial')) AS succeeded,
         count(*) FILTER (WHERE h.final AND h.status = 'failed') AS failed,
         count(*) FILTER (WHERE h.final AND h.status = 'suppressed') AS suppressed,
         count(*) FILTER (WHERE h.final AND h.status = 'cancelled') AS cancelled,
         coalesce(sum(h.slot_count) FILTER (WHERE h.final AND h.status = 'skipped'), 0) AS skipped,
         count(*) FILTER (WHERE h.attempt_id IS NOT NULL) AS attempts,
         count(*) FILTER (WHERE h.status = 'lost') AS lost,
         round(100.0 * count(*) FILTER (WHERE h.final AND h.status IN ('success', 'partial'))
           / nullif(count(*) FILTER (WHERE h.final AND h.status IN ('success', 'partial', 'failed', 'suppressed')), 0), 3) AS percent_succeeded,
         round(100.0 * count(*) FILTER (WHERE h.trigger_kind = 'schedule' AND h.retry_seq = 0 AND h.started_at - h.scheduled_for <= interval '5 minutes')
           / nullif(count(*) FILTER (WHERE h.trigger_kind = 'schedule' AND h.retry_seq = 0 AND h.started_at IS NOT NULL), 0), 3) AS percent_within_5_minutes,
         percentile_disc(0.95) WITHIN GROUP (ORDER BY h.started_at - h.scheduled_for) FILTER (WHERE h.trigger_kind = 'schedule' AND h.retry_seq = 0 AND h.started_at IS NOT NULL) AS start_delay_p95,
         percentile_disc(0.95) WITHIN GROUP (ORDER BY h.finished_at - h.started_at) FILTER (WHERE h.finished_at IS NOT NULL AND h.started_at IS NOT NULL) AS took_p95
    FROM kpi_job_history h JOIN kpi_job_binding b USING (binding_id)
   WHERE h.recorded_at >= now() - interval '31 days'
   GROUP BY h.tenant_id, b.environment, b.region, 4;

-- What went wrong on a day, of the last 31 days, by the platform's categories and codes.
CREATE VIEW kpi_monitor_error WITH (security_invoker = true) AS
  SELECT h.tenant_id, b.environment, b.region, (h.recorded_at AT TIME ZONE 'UTC')::date AS day, coalesce(h.error_category, h.reason, 'unknown') AS error_category,
         coalesce(h.error_code, '') AS error_code, count(*) AS attempts, count(*) FILTER (WHERE h.final) AS occurrences, count(DISTINCT h.binding_id) AS jobs, max(h.recorded_at) AS last_at
    FROM kpi_job_history h JOIN kpi_job_binding b USING (binding_id)
   WHERE h.recorded_at >= now() - interval '31 days' AND (h.status IN ('failed', 'suppressed', 'lost') OR h.error_code IS NOT NULL)
   GROUP BY h.tenant_id, b.environment, b.region, 4, 5, 6;

-- Whether those who are to be told are told.
CREATE VIEW kpi_monitor_alert WITH (security_invoker = true) AS
  SELECT m.tenant_id, b.environment, m.channel_type, m.channel_value,
         count(*) FILTER (WHERE m.state = 'pending') AS pending, count(*) FILTER (WHERE m.state = 'held') AS held, count(*) FILTER (WHERE m.state = 'dead') AS dead,
         count(*) FILTER (WHERE m.state = 'sent' AND m.sent_at > now() - interval '1 day') AS sent_last_day,
         min(m.created_at) FILTER (WHERE m.state = 'pending') AS oldest_pending_at, max(m.sent_at) AS last_sent_at,
         max(m.last_error) FILTER (WHERE m.state IN ('pending', 'dead')) AS last_error
    FROM kpi_alert_message m JOIN kpi_job_binding b USING (binding_id)
   GROUP BY m.tenant_id, b.environment, m.channel_type, m.channel_value;

GRANT SELECT ON kpi_monitor_job, kpi_monitor_run, kpi_monitor_wait, kpi_monitor_sla, kpi_monitor_execution, kpi_monitor_error, kpi_monitor_alert
  TO kpi_requests, kpi_scheduler, kpi_reader;
