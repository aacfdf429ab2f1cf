-- OpenLineage: what is told to a receiver of lineage. Written from the chain, which holds every run in one order once it is committed, so no run
-- pays for it; there are rows of tenants alone that have a receiver.
CREATE TABLE kpi_lineage_cursor (
  tenant_id text PRIMARY KEY REFERENCES kpi_tenant,
  seq       bigint NOT NULL CHECK (seq >= 0)               -- the last link of the tenant's chain that was looked through
);

CREATE TABLE kpi_lineage_event (
  event_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id     text NOT NULL,
  binding_id    bigint NOT NULL REFERENCES kpi_job_binding,
  revision      int NOT NULL,
  attempt_id    uuid NOT NULL,
  event_type    text NOT NULL CHECK (event_type IN ('START', 'COMPLETE', 'FAIL', 'ABORT')),
  run_id        bigint,                                    -- NULL: it had not ended when its start was seen
  scheduled_for timestamptz NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT now(),
  state         text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'dead')),
  tries         int NOT NULL DEFAULT 0,                    -- rises with each claim: who claimed before has no say any more
  next_at       timestamptz NOT NULL DEFAULT now(),
  last_error    text,
  sent_at       timestamptz,
  UNIQUE (attempt_id, event_type)
) WITH (fillfactor = 80);
CREATE INDEX kpi_lineage_event_pending ON kpi_lineage_event (next_at) WHERE state = 'pending';
CREATE INDEX kpi_lineage_event_ended ON kpi_lineage_event (created_at) WHERE state <> 'pending';

SELECT kpi_close_over_tenant('kpi_lineage_cursor'), kpi_close_over_tenant('kpi_lineage_event');
GRANT SELECT ON kpi_lineage_cursor, kpi_lineage_event TO kpi_requests, kpi_scheduler, kpi_reader;
GRANT INSERT, UPDATE ON kpi_lineage_cursor TO kpi_scheduler;
GRANT INSERT, UPDATE, DELETE ON kpi_lineage_event TO kpi_scheduler;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO kpi_requests, kpi_scheduler;
