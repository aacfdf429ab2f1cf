-- A caller's rows are the rows of the caller's tenants, whatever a statement forgets to ask. Who the caller is stands in
-- two settings of the transaction (RequestTransaction sets them); without them there are no rows.
-- Forced: the owner has no rows either. A later migration that moves data says ALTER TABLE … NO FORCE ROW LEVEL SECURITY
-- first and FORCE after, in its one transaction; a later table with a tenant_id is closed by kpi_close_over_tenant.

CREATE FUNCTION kpi_caller_tenants() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT string_to_array(current_setting('kpi.tenants', true), ',')
$$;
-- The platform operator's: every tenant's rows.
CREATE FUNCTION kpi_caller_is_everywhere() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce(current_setting('kpi.tenants', true) = '*', false)
$$;

-- Sub-selects, so that the settings are read once a statement and not once a row.
CREATE FUNCTION kpi_close_over_tenant(closed regclass) RETURNS void LANGUAGE plpgsql AS $close$
DECLARE mine constant text := '((SELECT kpi_caller_is_everywhere()) OR tenant_id = ANY ((SELECT kpi_caller_tenants())::text[]))';
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', closed);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', closed);
  EXECUTE format('CREATE POLICY of_the_callers_tenants ON %s TO kpi_requests USING %s WITH CHECK %s', closed, mine, mine);
  EXECUTE format('CREATE POLICY of_every_tenant ON %s TO kpi_scheduler USING (true) WITH CHECK (true)', closed);
  EXECUTE format('CREATE POLICY to_read ON %s FOR SELECT TO kpi_reader USING (true)', closed);
END
$close$;
REVOKE ALL ON FUNCTION kpi_close_over_tenant(regclass) FROM PUBLIC;

DO $all$
DECLARE t regclass;
BEGIN
  FOR t IN
    SELECT c.oid::regclass FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  LOOP
    PERFORM kpi_close_over_tenant(t);
  END LOOP;
  -- Nobody reads a partition but through its parent.
  FOR t IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent IN ('kpi_job_history'::regclass, 'kpi_evidence'::regclass, 'kpi_audit'::regclass) LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
  END LOOP;
END
$all$;

-- A session has no tenant of its own: it is seen by whom it works for.
ALTER TABLE kpi_session ENABLE ROW LEVEL SECURITY;
ALTER TABLE kpi_session FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_callers_tenants ON kpi_session TO kpi_requests USING (
  (SELECT kpi_caller_is_everywhere()) OR EXISTS (SELECT FROM kpi_session_tenant st WHERE st.session_id = kpi_session.session_id));
CREATE POLICY of_every_tenant ON kpi_session TO kpi_scheduler USING (true) WITH CHECK (true);
CREATE POLICY to_read ON kpi_session FOR SELECT TO kpi_reader USING (true);

-- An answer that is kept for a repetition is its caller's alone.
ALTER TABLE kpi_request ENABLE ROW LEVEL SECURITY;
ALTER TABLE kpi_request FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_caller ON kpi_request TO kpi_requests
  USING (principal = current_setting('kpi.principal', true)) WITH CHECK (principal = current_setting('kpi.principal', true));
CREATE POLICY of_every_caller ON kpi_request TO kpi_scheduler USING (true) WITH CHECK (true);
CREATE POLICY to_read ON kpi_request FOR SELECT TO kpi_reader USING (true);

-- Requests add to the chain's waiting line and never read it.
REVOKE SELECT ON kpi_chain_pending FROM kpi_requests;

CREATE OR REPLACE FUNCTION kpi_make_partitions(months_ahead int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $make$
DECLARE
  parent text; month date; made int := 0; partition text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('kpi_make_partitions'));
  FOREACH parent IN ARRAY ARRAY['kpi_job_history', 'kpi_evidence', 'kpi_audit'] LOOP
    FOR i IN -1 .. months_ahead LOOP
      month := date_trunc('month', now() AT TIME ZONE 'UTC')::date + make_interval(months => i);
      partition := format('%s_%s', parent, to_char(month, 'YYYYMM'));
      IF to_regclass(partition) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', partition, parent,
          month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month')::timestamp AT TIME ZONE 'UTC');
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', partition);
        made := made + 1;
      END IF;
    END LOOP;
  END LOOP;
  RETURN made;
END
$make$;
