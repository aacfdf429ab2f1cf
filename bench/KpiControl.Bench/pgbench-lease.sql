-- The same rows as a run of the product: the cursor moves and the slot is leased in one update, the outcome is the update
-- back, a history row, its evidence (a document that a run of the product left) and one chain row a batch. No protocol, no decisions, no fences tested: what is left is the database.
\set block random(0, :blocks - 1)
\set first :base + (:block * :clients + :client_id) * 100
\set last :first + 99
BEGIN;
UPDATE kpi_job_runtime SET next_run_at = next_run_at + interval '1 hour', occ_state = 'L', occ_scheduled_for = next_run_at, occ_kind = 0, occ_window_start = next_run_at - interval '1 hour', occ_business_date = current_date - 1, occ_reason = NULL, occ_deadline = NULL, occ_retry_at = NULL, retry_count = 0, occ_revision = revision, attempt_id = gen_random_uuid(), session_id = :session, generation = 1, lease_deadline = now() + interval '15 minutes', fence_n = nextval('kpi_fence'), fence_epoch = 1 WHERE binding_id BETWEEN :first AND :last AND occ_state IS NULL;
COMMIT;
BEGIN;
WITH u AS (UPDATE kpi_job_runtime SET occ_state = NULL, session_id = NULL, generation = NULL, lease_deadline = NULL, attempt_id = NULL, occ_retry_at = NULL, occ_reason = NULL, last_run_at = now(), last_status = 'success', last_error = NULL, occ_cancel = false WHERE binding_id BETWEEN :first AND :last AND occ_state = 'L' RETURNING *, gen_random_uuid() AS attempt), h AS (INSERT INTO kpi_job_history (run_id, tenant_id, binding_id, revision, attempt_id, retry_seq, scheduled_for, window_start, business_date, lane, session_id, fence_epoch, started_at, finished_at, status, rows_processed, data_points, lineage_ref, result_digest, trigger_kind, zone_version, final) SELECT fence_n, tenant_id, binding_id, occ_revision, attempt, 0, occ_scheduled_for, occ_window_start, occ_business_date, lane, :session, fence_epoch, now(), now(), 'success', 1000, 12, 'attempt/' || attempt, sha256('x'), 'schedule', 'seed', true FROM u), e AS (INSERT INTO kpi_evidence (run_id, binding_id, tenant_id, attempt_id, kind, document) SELECT fence_n, binding_id, tenant_id, attempt, 'run', :document::jsonb FROM u) INSERT INTO kpi_chain_pending (run_ids) SELECT array_agg(fence_n) FROM u HAVING count(*) > 0;
COMMIT;
