-- What is to be released, and who agreed to exactly that. Only its state moves; a decision never changes.
CREATE TABLE kpi_change (
  change_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id       text NOT NULL REFERENCES kpi_tenant,
  environment     text NOT NULL CHECK (environment IN ('dev', 'stg', 'prod')),
  region          text NOT NULL,
  job_id          text NOT NULL,
  binding_id      bigint NOT NULL REFERENCES kpi_job_binding,
  kind            text NOT NULL CHECK (kind IN ('create', 'update')),
  def_id          bigint NOT NULL REFERENCES kpi_job_def,
  content_hash    text NOT NULL,
  -- As it was written this time: another spelling of a definition that is stored has a text of its own.
  format          text NOT NULL CHECK (format IN ('yaml', 'json')),
  content         text NOT NULL,
  base_def_id     bigint REFERENCES kpi_job_def,     -- NULL: a first binding
  base_revision   int NOT NULL,
  contract_digest text NOT NULL,
  policy_version  int NOT NULL,
  digest          text NOT NULL CHECK (digest ~ '^sha256:[0-9a-f]{64}$'),
  required        jsonb NOT NULL,                    -- [{ capacity, principal }]
  author          text NOT NULL,
  reason          text NOT NULL DEFAULT '',
  proposed_at     timestamptz NOT NULL DEFAULT now(),
  expires_at      timestamptz NOT NULL,
  state           text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'applied', 'rejected', 'withdrawn', 'superseded')),
  closed_at       timestamptz,
  closed_by       text,
  applied_revision int,
  CHECK ((state = 'open') = (closed_at IS NULL) AND (closed_at IS NULL) = (closed_by IS NULL)),
  CHECK ((state = 'applied') = (applied_revision IS NOT NULL))
);
CREATE UNIQUE INDEX kpi_change_one_open_per_binding ON kpi_change (binding_id) WHERE state = 'open';
CREATE INDEX ON kpi_change (tenant_id, change_id);

-- One person, one capacity: nobody is two people.
CREATE TABLE kpi_change_decision (
  change_id  bigint NOT NULL REFERENCES kpi_change,
  principal  text NOT NULL,
  tenant_id  text NOT NULL,
  capacity   text NOT NULL CHECK (capacity IN ('business', 'technical')),
  decision   text NOT NULL CHECK (decision IN ('approve', 'reject')),
  digest     text NOT NULL,
  comment    text NOT NULL DEFAULT '',
  decided_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (change_id, principal)
);

CREATE FUNCTION kpi_change_moves_on() RETURNS trigger LANGUAGE plpgsql AS $moves$
DECLARE was kpi_change := OLD;
BEGIN
  was.state := NEW.state; was.closed_at := NEW.closed_at; was.closed_by := NEW.closed_by; was.applied_revision := NEW.applied_revision;
  IF OLD.state <> 'open' OR was IS DISTINCT FROM NEW THEN
    RAISE EXCEPTION 'a change that was proposed is only ever closed, once' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END
$moves$;
CREATE TRIGGER moves_on BEFORE UPDATE ON kpi_change FOR EACH ROW EXECUTE FUNCTION kpi_change_moves_on();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON kpi_change_decision FOR EACH ROW EXECUTE FUNCTION kpi_refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON kpi_change_decision FOR EACH STATEMENT EXECUTE FUNCTION kpi_refuse_change();
CREATE TRIGGER kept BEFORE DELETE ON kpi_change FOR EACH ROW EXECUTE FUNCTION kpi_refuse_change();
CREATE TRIGGER kept_whole BEFORE TRUNCATE ON kpi_change FOR EACH STATEMENT EXECUTE FUNCTION kpi_refuse_change();

SELECT kpi_close_over_tenant('kpi_change'), kpi_close_over_tenant('kpi_change_decision');
GRANT SELECT ON kpi_change, kpi_change_decision TO kpi_requests, kpi_scheduler, kpi_reader;
GRANT INSERT ON kpi_change, kpi_change_decision TO kpi_requests;
GRANT UPDATE (state, closed_at, closed_by, applied_revision) ON kpi_change TO kpi_requests;
