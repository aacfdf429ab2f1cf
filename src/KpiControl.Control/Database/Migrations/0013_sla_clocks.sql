-- SLA clocks run. A success moves this column and nothing that an index reads; the sweep looks at it when a clock is due.
-- It says how far the last good result reaches, and no longer for how long it holds: a target that changes changes no row.
ALTER TABLE kpi_job_runtime RENAME COLUMN fresh_until TO good_through;

ALTER TABLE kpi_sla_clock NO FORCE ROW LEVEL SECURITY;
ALTER TABLE kpi_sla_clock
  ADD COLUMN armed_at  timestamptz NOT NULL DEFAULT now(),   -- freshness counts from here until there is a result
  ADD COLUMN replan    boolean NOT NULL DEFAULT true,        -- what it waits for is to be computed anew
  ADD COLUMN warn_at   timestamptz,
  ADD COLUMN breach_at timestamptz,
  ADD COLUMN needs     timestamptz,                          -- how far a result must reach to keep the promise
  ADD COLUMN target    interval,
  ADD COLUMN grace     interval,
  ALTER COLUMN state SET DEFAULT 'pass';
UPDATE kpi_sla_clock SET state = 'pass', due_at = now();
ALTER TABLE kpi_sla_clock
  ADD CHECK (state IN ('off', 'pass', 'warn', 'breach')),
  ADD CHECK ((warn_at IS NULL) = (breach_at IS NULL) AND (warn_at IS NULL) = (needs IS NULL));
ALTER TABLE kpi_sla_clock FORCE ROW LEVEL SECURITY;
-- The few that complain: looked at often, for a result that ends it.
CREATE INDEX kpi_sla_clock_open ON kpi_sla_clock (binding_id, clock) WHERE state IN ('warn', 'breach');

-- One stretch of time in which a promise was not kept.
CREATE TABLE kpi_sla_episode (
  episode_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id          text NOT NULL,
  binding_id         bigint NOT NULL REFERENCES kpi_job_binding,
  clock              text NOT NULL CHECK (clock IN ('freshness', 'latency', 'availability', 'failure')),
  opened_at          timestamptz NOT NULL,                   -- the instant itself; recorded_at: when somebody saw it
  recorded_at        timestamptz NOT NULL DEFAULT now(),
  breached_at        timestamptz,
  breach_recorded_at timestamptz,
  needs              timestamptz,                            -- the end of the window that no result covers
  run_id             bigint,                                 -- the run that was too slow or failed, the last of them
  run_count          int NOT NULL DEFAULT 0,
  acknowledged_at    timestamptz,
  acknowledged_by    text,
  acknowledge_reason text,
  silenced_until     timestamptz,
  silenced_by        text,
  silence_reason     text,
  resolved_at        timestamptz,
  resolution         text CHECK (resolution IN ('recovered', 'changed', 'retired')),
  CHECK ((breached_at IS NULL) = (breach_recorded_at IS NULL)),
  CHECK ((resolved_at IS NULL) = (resolution IS NULL)),
  CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL)),
  CHECK ((silenced_until IS NULL) = (silenced_by IS NULL) AND (silenced_until IS NULL) = (silence_reason IS NULL)),
  CHECK (resolved_at IS NULL OR resolved_at >= opened_at)
);
CREATE UNIQUE INDEX kpi_sla_episode_one_open ON kpi_sla_episode (binding_id, clock) WHERE resolved_at IS NULL;
CREATE INDEX ON kpi_sla_episode (tenant_id, opened_at);
CREATE INDEX ON kpi_sla_episode (binding_id, opened_at);

-- Runs that somebody may have to hear of, written with their history row and taken by the sweep.
CREATE TABLE kpi_run_notice (
  notice_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id   text NOT NULL,
  binding_id  bigint NOT NULL,
  run_id      bigint NOT NULL,
  kind        text NOT NULL CHECK (kind IN ('slow', 'failure', 'skipped')),
  is_breach   boolean NOT NULL DEFAULT false,
  recorded_at timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);

SELECT kpi_close_over_tenant('kpi_sla_episode'), kpi_close_over_tenant('kpi_run_notice');

GRANT SELECT ON kpi_sla_episode, kpi_run_notice TO kpi_requests, kpi_scheduler, kpi_reader;
GRANT INSERT, UPDATE ON kpi_sla_episode TO kpi_scheduler;
GRANT UPDATE ON kpi_sla_episode TO kpi_requests;
GRANT INSERT ON kpi_run_notice TO kpi_requests, kpi_scheduler;
GRANT DELETE ON kpi_run_notice TO kpi_scheduler;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO kpi_requests, kpi_scheduler;
