-- Who an agent is that comes with a certificate. No tenant's rows: only the platform's operators and the scheduler see them.
CREATE TABLE kpi_enrolment (
  enrolment_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  token_hash   bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
  agent        text NOT NULL,                     -- a name, or what it begins with and a star
  region       text NOT NULL,
  tenants      text[] NOT NULL CHECK (cardinality(tenants) > 0),
  reason       text NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  created_by   text NOT NULL,
  expires_at   timestamptz NOT NULL,
  used_at      timestamptz,
  used_by      text,
  revoked_at   timestamptz,
  CHECK ((used_at IS NULL) = (used_by IS NULL)),
  CHECK (used_at IS NULL OR revoked_at IS NULL)
);

CREATE TABLE kpi_agent_identity (
  agent                  text PRIMARY KEY,
  region                 text,                    -- NULL: it comes with a token, and is only here because it was revoked
  tenants                text[],
  -- Certificates that begin before it count no more: of a revocation, and of an enrolment under the same name.
  certificates_since     timestamptz NOT NULL DEFAULT '1970-01-01Z',
  certificate_serial     text,
  certificate_expires_at timestamptz,
  revoked_at             timestamptz,
  revoked_by             text,
  revoke_reason          text,
  CHECK ((region IS NULL) = (tenants IS NULL)),
  CHECK (region IS NOT NULL OR revoked_at IS NOT NULL),
  CHECK ((revoked_at IS NULL) = (revoked_by IS NULL) AND (revoked_at IS NULL) = (revoke_reason IS NULL))
);

DO $closed$
DECLARE t regclass;
BEGIN
  FOREACH t IN ARRAY ARRAY['kpi_enrolment', 'kpi_agent_identity']::regclass[] LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY of_operators ON %s TO kpi_requests USING ((SELECT kpi_caller_is_everywhere())) WITH CHECK ((SELECT kpi_caller_is_everywhere()))', t);
    EXECUTE format('CREATE POLICY of_the_scheduler ON %s TO kpi_scheduler USING (true) WITH CHECK (true)', t);
    EXECUTE format('CREATE POLICY to_read ON %s FOR SELECT TO kpi_reader USING (true)', t);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %s TO kpi_requests, kpi_scheduler', t);
  END LOOP;
END
$closed$;
GRANT SELECT ON kpi_agent_identity TO kpi_reader;
