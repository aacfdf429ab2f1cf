-- Releases outside of windows, freezes and owners' approvals: two approvers for a bounded time, and a review that stays open until somebody else closes it.
CREATE TABLE kpi_break_glass_approval (
  change_id  bigint NOT NULL REFERENCES kpi_change,
  principal  text NOT NULL,
  tenant_id  text NOT NULL,
  capacity   text NOT NULL CHECK (capacity IN ('business', 'technical')),
  digest     text NOT NULL,
  reason     text NOT NULL CHECK (reason <> ''),
  decided_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (change_id, principal, decided_at),   -- again, once the former counts no more
  CHECK (expires_at > decided_at)
);

CREATE TABLE kpi_change_review (
  change_id    bigint PRIMARY KEY REFERENCES kpi_change,
  tenant_id    text NOT NULL,
  environment  text NOT NULL,
  reason       text NOT NULL CHECK (reason <> ''),
  participants text[] NOT NULL CHECK (cardinality(participants) >= 3),   -- the author, and whoever approved or released it
  opened_at    timestamptz NOT NULL DEFAULT now(),
  closed_at    timestamptz,
  closed_by    text CHECK (closed_by <> ALL (participants)),
  comment      text CHECK (comment <> ''),
  CHECK ((closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (comment IS NULL))
);
CREATE INDEX kpi_change_review_open ON kpi_change_review (tenant_id, change_id) WHERE closed_at IS NULL;

CREATE FUNCTION kpi_change_review_closes() RETURNS trigger LANGUAGE plpgsql AS $closes$
DECLARE was kpi_change_review := OLD;
BEGIN
  was.closed_at := NEW.closed_at; was.closed_by := NEW.closed_by; was.comment := NEW.comment;
  IF OLD.closed_at IS NOT NULL OR NEW.closed_at IS NULL OR was IS DISTINCT FROM NEW THEN
    RAISE EXCEPTION 'a review that was opened is only ever closed, once' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END
$closes$;
CREATE TRIGGER closes BEFORE UPDATE ON kpi_change_review FOR EACH ROW EXECUTE FUNCTION kpi_change_review_closes();
CREATE TRIGGER kept BEFORE DELETE ON kpi_change_review FOR EACH ROW EXECUTE FUNCTION kpi_refuse_change();
CREATE TRIGGER kept_whole BEFORE TRUNCATE ON kpi_change_review FOR EACH STATEMENT EXECUTE FUNCTION kpi_refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON kpi_break_glass_approval FOR EACH ROW EXECUTE FUNCTION kpi_refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON kpi_break_glass_approval FOR EACH STATEMENT EXECUTE FUNCTION kpi_refuse_change();

SELECT kpi_close_over_tenant('kpi_break_glass_approval'), kpi_close_over_tenant('kpi_change_review');
GRANT SELECT ON kpi_break_glass_approval, kpi_change_review TO kpi_requests, kpi_scheduler, kpi_reader;
GRANT INSERT ON kpi_break_glass_approval, kpi_change_review TO kpi_requests;
GRANT UPDATE (closed_at, closed_by, comment) ON kpi_change_review TO kpi_requests;
