-- What stands over a definition for a while: why, by whom, until when. Of a row only its end is ever written, once.
CREATE TABLE kpi_override (
  override_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  binding_id  bigint NOT NULL REFERENCES kpi_job_binding,
  tenant_id   text NOT NULL,
  kind        text NOT NULL CHECK (kind IN ('schedule', 'priority', 'timeout', 'alert_route')),   -- a pause is in kpi_pause
  value       text NOT NULL CHECK (value <> ''),
  reason      text NOT NULL CHECK (reason <> ''),
  created_at  timestamptz NOT NULL DEFAULT now(),
  created_by  text NOT NULL,
  expires_at  timestamptz NOT NULL CHECK (isfinite(expires_at)),
  ended_at    timestamptz,
  ended_by    text,
  ending      text CHECK (ending IN ('expired', 'cleared', 'replaced', 'reconciled')),
  end_reason  text,
  CHECK (expires_at > created_at),
  CHECK ((ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (ending IS NULL) AND (ended_at IS NULL) = (end_reason IS NULL)),
  CHECK (ended_at BETWEEN created_at AND expires_at)
);
CREATE UNIQUE INDEX kpi_override_one_open ON kpi_override (binding_id, kind) WHERE ended_at IS NULL;
CREATE INDEX kpi_override_expires ON kpi_override (expires_at) WHERE ended_at IS NULL;
CREATE INDEX ON kpi_override (tenant_id, override_id);
CREATE INDEX ON kpi_override (binding_id, override_id);

CREATE FUNCTION kpi_override_ends() RETURNS trigger LANGUAGE plpgsql AS $ends$
DECLARE was kpi_override := OLD;
BEGIN
  was.ended_at := NEW.ended_at; was.ended_by := NEW.ended_by; was.ending := NEW.ending; was.end_reason := NEW.end_reason;
  IF OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL OR was IS DISTINCT FROM NEW THEN
    RAISE EXCEPTION 'an override that was set is only ever ended, once' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END
$ends$;
CREATE TRIGGER ends BEFORE UPDATE ON kpi_override FOR EACH ROW EXECUTE FUNCTION kpi_override_ends();
CREATE TRIGGER kept BEFORE DELETE ON kpi_override FOR EACH ROW EXECUTE FUNCTION kpi_refuse_change();
CREATE TRIGGER kept_whole BEFORE TRUNCATE ON kpi_override FOR EACH STATEMENT EXECUTE FUNCTION kpi_refuse_change();

SELECT kpi_close_over_tenant('kpi_override');
GRANT SELECT ON kpi_override TO kpi_requests, kpi_scheduler, kpi_reader;
GRANT INSERT ON kpi_override TO kpi_requests;
GRANT UPDATE (ended_at, ended_by, ending, end_reason) ON kpi_override TO kpi_requests, kpi_scheduler;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO kpi_requests, kpi_scheduler;

-- What a revision was put in force under: [{ override_id, kind, value, expires_at }]. Each element says itself when it stops to
-- count, so nobody has to be there then, and a revision that outlives its overrides stays true.
ALTER TABLE kpi_job_binding ADD COLUMN overrides jsonb;
ALTER TABLE kpi_binding_revision ADD COLUMN overrides jsonb;

-- Where alerts of a job go now. Under an override all of them go one way, at the highest severity that any of them has.
CREATE VIEW kpi_alert_route WITH (security_invoker = true) AS
  SELECT a.binding_id, a.channel_type, a.channel_value, a.severity, a.tenant_id, a.events
    FROM kpi_job_alert a
   WHERE NOT EXISTS (SELECT FROM kpi_override o WHERE o.binding_id = a.binding_id AND o.kind = 'alert_route' AND o.ended_at IS NULL AND o.expires_at > now())
  UNION ALL
  SELECT o.binding_id, split_part(o.value, ':', 1), o.value, (array_agg(a.severity ORDER BY array_position('{high,medium,low}', a.severity)))[1], o.tenant_id, array_agg(DISTINCT e.event)
    FROM kpi_override o JOIN kpi_job_alert a USING (binding_id) CROSS JOIN unnest(a.events) AS e(event)
   WHERE o.kind = 'alert_route' AND o.ended_at IS NULL AND o.expires_at > now()
   GROUP BY o.override_id;
GRANT SELECT ON kpi_alert_route TO kpi_requests, kpi_scheduler, kpi_reader;
