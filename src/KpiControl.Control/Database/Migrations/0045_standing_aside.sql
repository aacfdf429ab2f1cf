-- Occurrences whose job may run several at once (overlap: allow), and which have made room for the next in kpi_job_runtime: leased, or
-- between two attempts. The columns are those of kpi_job_runtime, and mean the same; whatever is done to one is done to it in that row, in one
-- transaction (KpiControl.Control.Leases.AsideStore).
CREATE TABLE kpi_aside (
  binding_id        bigint NOT NULL REFERENCES kpi_job_binding,
  tenant_id         text NOT NULL,
  occ_state         "char" NOT NULL CHECK (occ_state IN ('W', 'R', 'L')),  -- W only within a transaction, while another is in the row
  occ_scheduled_for timestamptz NOT NULL,
  occ_kind          smallint NOT NULL,
  occ_window_start  timestamptz,
  occ_business_date date NOT NULL,
  occ_reason        smallint,
  occ_retry_at      timestamptz,
  occ_deadline      timestamptz,
  occ_lane          smallint CHECK (occ_lane > 0),
  occ_pinned        int,
  occ_revision      int,
  occ_cancel        boolean NOT NULL,
  occ_lost_as       smallint CHECK (occ_lost_as IN (5, 6)),
  retry_count       int NOT NULL,
  attempt_id        uuid,
  session_id        bigint,
  generation        int,
  lease_deadline    timestamptz,
  fence_n           bigint NOT NULL,
  fence_epoch       int NOT NULL,
  PRIMARY KEY (binding_id, occ_scheduled_for, occ_kind),
  CHECK ((occ_state = 'L') = (session_id IS NOT NULL)),
  CHECK ((session_id IS NULL) = (generation IS NULL) AND (session_id IS NULL) = (lease_deadline IS NULL)),
  CHECK (occ_state <> 'L' OR (attempt_id IS NOT NULL AND fence_n > 0 AND fence_epoch > 0))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);

-- How many of the binding's stand aside.
ALTER TABLE kpi_job_runtime ADD COLUMN aside smallint NOT NULL DEFAULT 0 CHECK (aside >= 0);

-- The jobs of which several may run at once: found among what queues without reading the others.
CREATE INDEX kpi_job_binding_beside ON kpi_job_binding (binding_id) WHERE schedule_extra ->> 'overlap' = 'allow';

SELECT kpi_close_over_tenant('kpi_aside');
GRANT SELECT, INSERT, UPDATE, DELETE ON kpi_aside TO kpi_requests, kpi_scheduler;
GRANT SELECT ON kpi_aside TO kpi_reader;

ALTER TABLE kpi_backfill ADD COLUMN parallelism smallint NOT NULL DEFAULT 1 CHECK (parallelism BETWEEN 1 AND 64);

CREATE OR REPLACE VIEW kpi_open_occurrence WITH (security_invoker = true) AS
  SELECT rt.binding_id, rt.tenant_id, rt.occ_scheduled_for AS scheduled_for, rt.occ_scheduled_for AS last_slot,
         rt.occ_kind AS kind, rt.occ_window_start AS window_start, rt.occ_business_date AS business_date, rt.revision,
         CASE rt.occ_state WHEN 'W' THEN 'waiting' WHEN 'R' THEN 'ready' ELSE 'leased' END AS state,
         rt.occ_reason AS reason, rt.retry_count, rt.attempt_id, rt.session_id, rt.occ_retry_at, rt.occ_deadline AS deadline, rt.lease_deadline
    FROM kpi_job_runtime rt WHERE rt.occ_state IS NOT NULL
  UNION ALL
  SELECT o.binding_id, o.tenant_id, o.scheduled_for, o.last_slot, o.kind, o.window_start, o.business_date, o.revision,
         'queued', NULL, 0, NULL, NULL, NULL, NULL, NULL
    FROM kpi_occurrence o
  UNION ALL
  SELECT a.binding_id, a.tenant_id, a.occ_scheduled_for, a.occ_scheduled_for, a.occ_kind, a.occ_window_start, a.occ_business_date,
         coalesce(a.occ_revision, (SELECT rt.revision FROM kpi_job_runtime rt WHERE rt.binding_id = a.binding_id)),
         CASE a.occ_state WHEN 'W' THEN 'waiting' WHEN 'R' THEN 'ready' ELSE 'leased' END,
         a.occ_reason, a.retry_count, a.attempt_id, a.session_id, a.occ_retry_at, a.occ_deadline, a.lease_deadline
    FROM kpi_aside a;

-- Where several of a job are open, the one that is told of is the one that has run for the longest; running and open say how many there are.
CREATE OR REPLACE VIEW kpi_monitor_job WITH (security_invoker = true) AS
  SELECT b.tenant_id, b.environment, b.region, b.job_id, b.binding_id, b.kpi_id, b.contract_version, d.content_hash,
         coalesce(v.value, b.schedule_cron) AS schedule_cron, b.timezone, d.canonical_json::jsonb ->> 'criticality' AS criticality,
         CASE WHEN o.occ_state = 'L' THEN 'leased' WHEN NOT b.active_flag THEN 'inactive' WHEN rt.paused_until > now() THEN 'paused'
              WHEN o.occ_state = 'W' THEN 'waiting' WHEN o.occ_state = 'R' THEN 'ready' WHEN rt.next_run_at <= now() THEN 'due' ELSE 'idle' END AS state,
         CASE WHEN o.occ_state IN ('W', 'R') THEN (ARRAY['dependency', 'retry', 'no_agent', 'no_credit', 'lease_lost', 'returned'])[o.occ_reason] END AS reason,
         CASE WHEN o.occ_state IS NOT NULL THEN kpi_kind_name(o.occ_kind) END AS cause,
         CASE WHEN o.occ_state IS NOT NULL THEN o.occ_scheduled_for WHEN rt.next_run_at <= now() THEN rt.next_run_at END AS scheduled_for,
         CASE WHEN o.occ_state IS NOT NULL THEN o.occ_business_date END AS business_date,
         CASE WHEN o.occ_state IS NOT NULL THEN o.retry_count + 1 END AS try_number, rt.queued,
         CASE WHEN o.occ_state = 'L' THEN s.agent END AS agent,
         CASE WHEN rt.paused_until > now() THEN rt.paused_until END AS paused_until,
         rt.last_run_at, rt.last_status, rt.last_error, rt.next_run_at, rt.good_through,
         coalesce((SELECT CASE max(array_position('{pass,warn,breach}'::text[], c.state)) WHEN 1 THEN 'pass' WHEN 2 THEN 'warn' WHEN 3 THEN 'breach' END
                     FROM kpi_sla_clock c WHERE c.binding_id = b.binding_id), 'none') AS sla_state,
         CASE WHEN rt.occ_state = 'L' THEN 1 ELSE 0 END
           + CASE WHEN rt.aside > 0 THEN (SELECT count(*) FROM kpi_aside a WHERE a.binding_id = rt.binding_id AND a.occ_state = 'L')::int ELSE 0 END AS running,
         CASE WHEN rt.occ_state IS NOT NULL THEN 1 ELSE 0 END + rt.aside AS open
    FROM kpi_job_binding b JOIN kpi_job_runtime rt USING (binding_id) JOIN kpi_job_def d USING (def_id)
    LEFT JOIN kpi_override v ON v.binding_id = b.binding_id AND v.kind = 'schedule' AND v.ended_at IS NULL AND v.expires_at > now()
    CROSS JOIN LATERAL (
      SELECT * FROM (
        SELECT rt.occ_state, rt.occ_reason, rt.occ_kind, rt.occ_scheduled_for, rt.occ_business_date, rt.retry_count, rt.session_id
        UNION ALL
        SELECT a.occ_state, a.occ_reason, a.occ_kind, a.occ_scheduled_for, a.occ_business_date, a.retry_count, a.session_id FROM kpi_aside a WHERE rt.aside > 0 AND a.binding_id = rt.binding_id) any_of
       ORDER BY occ_state IS NULL, occ_state <> 'L', occ_scheduled_for LIMIT 1) o
    LEFT JOIN kpi_session s ON s.session_id = o.session_id;
