-- A refresh that changes what a window was computed from, after the window's number was reported. The number stays as it was
-- reported: a restatement is offered, and what it computes stands beside it.

-- Before this instant nothing of the table changed by the refresh. NULL: the pipeline did not say.
ALTER TABLE kpi_refresh ADD COLUMN changed_from timestamptz;

-- Refreshes of the past, for which jobs are looked for that had reported already. Watched for longer than an attempt may take:
-- one that was granted before the refresh and succeeds after it read the table as it was, or half of it.
CREATE TABLE kpi_late_refresh (
  refresh_id  bigint PRIMARY KEY REFERENCES kpi_refresh,
  tenant_id   text NOT NULL,
  watch_until timestamptz NOT NULL DEFAULT now() + interval '25 hours',
  looked_at   timestamptz
);
CREATE INDEX kpi_late_refresh_watched ON kpi_late_refresh (looked_at) WHERE looked_at IS NULL OR looked_at < watch_until;

-- An offer to one job, and what became of it. Only how it was decided is ever written to it.
CREATE TABLE kpi_restatement (
  restatement_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id      text NOT NULL,
  binding_id     bigint NOT NULL REFERENCES kpi_job_binding,
  cause          text NOT NULL CHECK (cause IN ('refresh', 'kpi')),
  refresh_id     bigint REFERENCES kpi_refresh,
  upstream_id    bigint REFERENCES kpi_restatement,
  source         text NOT NULL,                     -- GDP_Sales, CFO-EF-02@1.1.0
  first_date     date NOT NULL,
  last_date      date NOT NULL CHECK (last_date >= first_date),
  offered_at     timestamptz NOT NULL DEFAULT now(),
  expires_at     timestamptz NOT NULL CHECK (expires_at > offered_at),
  state          text NOT NULL DEFAULT 'offered' CHECK (state IN ('offered', 'proposed', 'accepted', 'declined', 'expired', 'superseded')),
  superseded_by  bigint REFERENCES kpi_restatement,
  digest         text,                              -- what an approval signs
  required       jsonb,                             -- whose approvals it needs
  accepted_at    timestamptz,
  accepted_by    text,
  reason         text NOT NULL DEFAULT '',
  closed_at      timestamptz,
  closed_by      text,
  close_reason   text NOT NULL DEFAULT '',
  backfill_id    bigint,                            -- the last that computed it
  cascaded_at    timestamptz,                       -- jobs that take this KPI were looked for
  CHECK ((cause = 'refresh') = (refresh_id IS NOT NULL) AND (cause = 'kpi') = (upstream_id IS NOT NULL)),
  CHECK ((state IN ('proposed', 'accepted')) <= (accepted_by IS NOT NULL AND digest IS NOT NULL AND required IS NOT NULL)),
  CHECK ((state IN ('declined', 'expired', 'superseded')) = (closed_at IS NOT NULL) AND (closed_at IS NULL) = (closed_by IS NULL)),
  CHECK ((state = 'superseded') = (superseded_by IS NOT NULL)),
  CHECK ((state = 'accepted') = (backfill_id IS NOT NULL))
);
CREATE INDEX ON kpi_restatement (tenant_id, restatement_id);
CREATE INDEX ON kpi_restatement (binding_id, restatement_id);
CREATE INDEX kpi_restatement_open ON kpi_restatement (expires_at) WHERE state IN ('offered', 'proposed');
CREATE INDEX kpi_restatement_cascades ON kpi_restatement (restatement_id) WHERE state = 'accepted' AND cascaded_at IS NULL;

-- One row a business date: a KPI Call is a business date's, so its last good run is the number that was reported of it.
CREATE TABLE kpi_restatement_slot (
  restatement_id bigint NOT NULL REFERENCES kpi_restatement,
  business_date  date NOT NULL,
  binding_id     bigint NOT NULL,
  tenant_id      text NOT NULL,
  run_id         bigint NOT NULL,                   -- as reported
  revision       int NOT NULL,
  slot           timestamptz NOT NULL,
  window_start   timestamptz,
  cause_key      text NOT NULL,                     -- refresh/12, restatement/7
  PRIMARY KEY (restatement_id, business_date),
  UNIQUE (binding_id, cause_key, business_date)
);
CREATE INDEX ON kpi_restatement_slot (run_id);

CREATE TABLE kpi_restatement_decision (
  restatement_id bigint NOT NULL REFERENCES kpi_restatement,
  principal      text NOT NULL,
  tenant_id      text NOT NULL,
  capacity       text NOT NULL CHECK (capacity IN ('business', 'technical')),
  decision       text NOT NULL CHECK (decision IN ('approve', 'reject')),
  digest         text NOT NULL,
  comment        text NOT NULL DEFAULT '',
  decided_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (restatement_id, principal)
);

CREATE FUNCTION kpi_restatement_is_decided() RETURNS trigger LANGUAGE plpgsql AS $decided$
DECLARE was kpi_restatement := OLD;
BEGIN
  was.state := NEW.state; was.superseded_by := NEW.superseded_by; was.digest := NEW.digest; was.required := NEW.required; was.accepted_at := NEW.accepted_at;
  was.accepted_by := NEW.accepted_by; was.reason := NEW.reason; was.closed_at := NEW.closed_at; was.closed_by := NEW.closed_by; was.close_reason := NEW.close_reason;
  was.backfill_id := NEW.backfill_id; was.cascaded_at := NEW.cascaded_at;
  IF was IS DISTINCT FROM NEW OR OLD.state IN ('declined', 'expired', 'superseded') OR OLD.state = 'accepted' AND (NEW.state, NEW.digest, NEW.accepted_by, NEW.accepted_at) IS DISTINCT FROM (OLD.state, OLD.digest, OLD.accepted_by, OLD.accepted_at) THEN
    RAISE EXCEPTION 'of an offered restatement only the decision is ever written, once' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END
$decided$;
CREATE TRIGGER is_decided BEFORE UPDATE ON kpi_restatement FOR EACH ROW EXECUTE FUNCTION kpi_restatement_is_decided();
DO $kept$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['kpi_restatement_slot', 'kpi_restatement_decision'] LOOP
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION kpi_refuse_change()', t);
    EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION kpi_refuse_change()', t);
  END LOOP;
END
$kept$;
CREATE TRIGGER kept BEFORE DELETE ON kpi_restatement FOR EACH ROW EXECUTE FUNCTION kpi_refuse_change();
CREATE TRIGGER kept_whole BEFORE TRUNCATE ON kpi_restatement FOR EACH STATEMENT EXECUTE FUNCTION kpi_refuse_change();

-- An accepted one runs as a backfill does: slot by slot, behind everything live, resumable; each by the revision that reported it.
ALTER TABLE kpi_backfill ADD COLUMN restatement_id bigint REFERENCES kpi_restatement;
CREATE INDEX ON kpi_backfill (restatement_id) WHERE restatement_id IS NOT NULL;
ALTER TABLE kpi_backfill_slot ADD COLUMN pinned_revision int;
CREATE INDEX ON kpi_backfill_slot (run_id) WHERE run_id IS NOT NULL;

-- A run of it has a kind of its own: whoever asks for what was reported leaves that kind out. Rows of before passed a narrower check.
ALTER TABLE kpi_job_history DROP CONSTRAINT kpi_job_history_trigger_kind_check;
ALTER TABLE kpi_job_history ADD CONSTRAINT kpi_job_history_trigger_kind_check
  CHECK (trigger_kind IN ('schedule', 'event', 'manual', 'replay', 'backfill', 'restatement')) NOT VALID;
CREATE OR REPLACE FUNCTION kpi_kind_name(kind smallint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (ARRAY['schedule', 'event', 'manual', 'replay', 'backfill', 'restatement'])[kind + 1]
$$;

-- Whoever accepted a restatement sees how it ends: it fails no job, and so wakes nobody.
DROP TRIGGER notice_run ON kpi_job_history;
CREATE TRIGGER notice_run AFTER INSERT ON kpi_job_history FOR EACH ROW
  WHEN (NEW.trigger_kind <> 'restatement' AND NEW.final AND (NEW.status IN ('failed', 'suppressed')
    OR NEW.status = 'skipped' AND NEW.reason IN ('not_ready', 'pre_validation', 'unroutable', 'missed_window', 'contract_inactive', 'overlap')))
  EXECUTE FUNCTION kpi_notice_run();

SELECT kpi_close_over_tenant('kpi_late_refresh'), kpi_close_over_tenant('kpi_restatement'), kpi_close_over_tenant('kpi_restatement_slot'), kpi_close_over_tenant('kpi_restatement_decision');
GRANT SELECT ON kpi_late_refresh, kpi_restatement, kpi_restatement_slot, kpi_restatement_decision TO kpi_requests, kpi_scheduler, kpi_reader;
GRANT INSERT ON kpi_late_refresh, kpi_restatement_decision TO kpi_requests;
GRANT UPDATE (state, digest, required, accepted_at, accepted_by, reason, closed_at, closed_by, close_reason, backfill_id, cascaded_at) ON kpi_restatement TO kpi_requests;
GRANT INSERT ON kpi_restatement, kpi_restatement_slot TO kpi_scheduler;
GRANT UPDATE (state, superseded_by, closed_at, closed_by, cascaded_at) ON kpi_restatement TO kpi_scheduler;
GRANT UPDATE (looked_at) ON kpi_late_refresh TO kpi_scheduler;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO kpi_requests, kpi_scheduler;
