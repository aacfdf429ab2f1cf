-- The timeline that PostgreSQL writes on. Not declared STABLE: a function that is, and calls ones that are not, is not inlined.
CREATE FUNCTION kpi_timeline() RETURNS text LANGUAGE sql AS $$ SELECT substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) $$;

-- The lane of the open occurrence where it is not its binding's own: a slot that is caught up with stays in the catch-up lane
-- through retries, waits and lost leases.
ALTER TABLE kpi_job_runtime ADD COLUMN occ_lane smallint CHECK (occ_lane > 0);
