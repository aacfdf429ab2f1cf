-- What is bound, to be written back to the store that the job follows. The transaction that asks for it touches no store: a pass writes it,
-- by its hash, so that doing it twice is doing it once, and one that is down delays nothing and loses nothing.
CREATE TABLE kpi_store_write (
  write_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  binding_id    bigint NOT NULL REFERENCES kpi_job_binding,
  tenant_id     text NOT NULL,
  store         text NOT NULL REFERENCES kpi_store,
  path          text NOT NULL,
  def_id        bigint NOT NULL REFERENCES kpi_job_def,
  content_hash  text NOT NULL CHECK (content_hash ~ '^sha256:[0-9a-f]{64}$'),
  seen_version  text,                              -- what the store held there when it was asked for; null: nothing
  reason        text NOT NULL DEFAULT '',
  requested_by  text NOT NULL,
  requested_at  timestamptz NOT NULL DEFAULT now(),
  store_state   text NOT NULL DEFAULT 'pending' CHECK (store_state IN ('pending', 'stored', 'refused')),
  tries         int NOT NULL DEFAULT 0,
  problem       text,                              -- of the last try, or why it was refused
  stored_commit text,
  ended_at      timestamptz,
  CHECK ((store_state = 'pending') = (ended_at IS NULL)),
  CHECK (store_state <> 'refused' OR problem IS NOT NULL)
);
CREATE UNIQUE INDEX kpi_store_write_one_pending ON kpi_store_write (binding_id) WHERE store_state = 'pending';
CREATE INDEX kpi_store_write_binding ON kpi_store_write (binding_id, write_id);
CREATE INDEX kpi_store_write_pending ON kpi_store_write (store, write_id) WHERE store_state = 'pending';

SELECT kpi_close_over_tenant('kpi_store_write');
GRANT SELECT ON kpi_store_write TO kpi_requests, kpi_scheduler, kpi_reader;
GRANT INSERT, UPDATE (store_state, problem, ended_at) ON kpi_store_write TO kpi_requests;
GRANT UPDATE ON kpi_store_write TO kpi_scheduler;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO kpi_requests, kpi_scheduler;
