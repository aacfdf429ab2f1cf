-- A replay by the definition that its run had: the revision that is not the one in force.
ALTER TABLE kpi_occurrence ADD COLUMN pinned boolean NOT NULL DEFAULT false;
ALTER TABLE kpi_job_runtime ADD COLUMN occ_pinned int;

-- A window of slots that is run (again), one slot at a time: each slot is a row, so that any node goes on where another stopped.
CREATE TABLE kpi_backfill (
  backfill_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  binding_id   bigint NOT NULL REFERENCES kpi_job_binding,
  tenant_id    text NOT NULL REFERENCES kpi_tenant,
  first_date   date NOT NULL,
  last_date    date NOT NULL CHECK (last_date >= first_date),
  newest_first boolean NOT NULL,
  rerun        boolean NOT NULL,
  reason       text NOT NULL DEFAULT '',
  requested_by text NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  cancelled_at timestamptz,
  finished_at  timestamptz
);
CREATE INDEX ON kpi_backfill (binding_id);
CREATE INDEX kpi_backfill_running ON kpi_backfill (backfill_id) WHERE finished_at IS NULL;

CREATE TABLE kpi_backfill_slot (
  backfill_id   bigint NOT NULL REFERENCES kpi_backfill,
  ordinal       int NOT NULL,
  binding_id    bigint NOT NULL,
  tenant_id     text NOT NULL,
  slot          timestamptz NOT NULL,
  -- The slot, a microsecond later for each backfill of it before this one: an occurrence succeeds once.
  occurrence_at timestamptz NOT NULL,
  window_start  timestamptz,
  business_date date NOT NULL,
  state         text NOT NULL CHECK (state IN ('pending', 'queued', 'succeeded_before', 'success', 'partial', 'failed', 'suppressed', 'cancelled', 'skipped')),
  queued_at     timestamptz,
  run_id        bigint,
  PRIMARY KEY (backfill_id, ordinal),
  UNIQUE (binding_id, occurrence_at)
);
CREATE INDEX kpi_backfill_slot_ahead ON kpi_backfill_slot (backfill_id, ordinal) WHERE state IN ('pending', 'queued');
CREATE INDEX ON kpi_backfill_slot (binding_id, slot);

SELECT kpi_close_over_tenant('kpi_backfill');
SELECT kpi_close_over_tenant('kpi_backfill_slot');
GRANT SELECT, INSERT, UPDATE ON kpi_backfill, kpi_backfill_slot TO kpi_requests;
GRANT SELECT, UPDATE ON kpi_backfill, kpi_backfill_slot TO kpi_scheduler;
GRANT SELECT ON kpi_backfill, kpi_backfill_slot TO kpi_reader;
