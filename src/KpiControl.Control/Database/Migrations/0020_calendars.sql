-- Business days, holidays, fiscal periods and blackouts. A version never changes, and the number only rises: bindings and
-- approvals name it.
CREATE TABLE kpi_calendar (
  tenant_id      text NOT NULL REFERENCES kpi_tenant,
  name           text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
  version        int NOT NULL CHECK (version > 0),
  digest         text NOT NULL CHECK (digest ~ '^sha256:[0-9a-f]{64}$'),
  format         text NOT NULL CHECK (format IN ('yaml', 'json')),
  content        text NOT NULL,                    -- as first written
  canonical_json text NOT NULL,                    -- what the digest is taken over
  created_at     timestamptz NOT NULL DEFAULT now(),
  created_by     text NOT NULL,
  reason         text NOT NULL DEFAULT '',
  PRIMARY KEY (tenant_id, name, version)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON kpi_calendar FOR EACH ROW EXECUTE FUNCTION kpi_refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON kpi_calendar FOR EACH STATEMENT EXECUTE FUNCTION kpi_refuse_change();
SELECT kpi_close_over_tenant('kpi_calendar');
GRANT SELECT ON kpi_calendar TO kpi_requests, kpi_scheduler, kpi_reader;
GRANT INSERT ON kpi_calendar TO kpi_requests;

-- The version that is in force, in the binding and, for ever, in its revision.
ALTER TABLE kpi_job_binding ADD COLUMN calendar text, ADD COLUMN calendar_version int,
  ADD CHECK ((calendar IS NULL) = (calendar_version IS NULL)),
  ADD FOREIGN KEY (tenant_id, calendar, calendar_version) REFERENCES kpi_calendar;
CREATE INDEX kpi_job_binding_calendar ON kpi_job_binding (tenant_id, calendar) WHERE calendar IS NOT NULL;
ALTER TABLE kpi_binding_revision ADD COLUMN calendar text, ADD COLUMN calendar_version int,
  ADD CHECK ((calendar IS NULL) = (calendar_version IS NULL)),
  ADD FOREIGN KEY (tenant_id, calendar, calendar_version) REFERENCES kpi_calendar;

-- What a change was proposed against; a later version makes it stale.
ALTER TABLE kpi_change ADD COLUMN calendar text, ADD COLUMN calendar_version int,
  ADD CHECK ((calendar IS NULL) = (calendar_version IS NULL));
