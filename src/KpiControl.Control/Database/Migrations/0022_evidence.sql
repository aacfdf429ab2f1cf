-- What an auditor is shown of a run leads from the run to the change that released its definition, and from a row to its link.

CREATE INDEX ON kpi_change (binding_id, applied_revision) WHERE state = 'applied';
-- Links by when they were made: a row is linked after it was recorded, and soon.
CREATE INDEX ON kpi_chain_link (tenant_id, linked_at);

-- The change that put a revision's definition in force: its own, or that of an earlier revision of the same definition
-- with no other definition between the two (a schedule that was tweaked, a pause of the binding).
CREATE FUNCTION kpi_change_behind(binding bigint, of_revision int) RETURNS bigint LANGUAGE sql STABLE AS $behind$
  SELECT c.change_id
    FROM kpi_binding_revision r
    JOIN kpi_change c ON c.binding_id = r.binding_id AND c.state = 'applied' AND c.kind <> 'remove' AND c.applied_revision <= r.revision AND c.def_id = r.def_id
   WHERE r.binding_id = binding AND r.revision = of_revision
     AND NOT EXISTS (SELECT FROM kpi_binding_revision q
                      WHERE q.binding_id = r.binding_id AND q.revision BETWEEN c.applied_revision AND r.revision AND q.def_id <> r.def_id)
   ORDER BY c.applied_revision DESC LIMIT 1
$behind$;

-- A run that was reported has evidence, or its row is refused. Not looked at in rows of before: agents might say nothing then.
ALTER TABLE kpi_job_history ADD CONSTRAINT kpi_job_history_has_evidence CHECK (result_digest IS NULL OR lineage_ref IS NOT NULL) NOT VALID;
