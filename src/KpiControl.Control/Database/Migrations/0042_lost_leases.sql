-- How the lease of attempt_id came back while nobody has taken the occurrence since: 5 lost, 6 returned unrun. occ_reason, which said so
-- before, says why it is not leased now, and that changes: no agent, no free slot.
ALTER TABLE kpi_job_runtime ADD COLUMN occ_lost_as smallint CHECK (occ_lost_as IN (5, 6));

ALTER TABLE kpi_job_runtime NO FORCE ROW LEVEL SECURITY;
UPDATE kpi_job_runtime SET occ_lost_as = occ_reason WHERE occ_state = 'R' AND attempt_id IS NOT NULL AND occ_reason IN (5, 6);
ALTER TABLE kpi_job_runtime FORCE ROW LEVEL SECURITY;
