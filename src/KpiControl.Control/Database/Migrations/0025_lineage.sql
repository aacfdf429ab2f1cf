-- Which jobs ever took which source: where a table, a signal or a KPI is looked for from below. A place to look, not the
-- truth: what was taken, when and at which version stands in the evidence of the runs. Written once a binding and source.
CREATE TABLE kpi_lineage_source (
  binding_id  bigint NOT NULL,
  source_type text NOT NULL CHECK (source_type IN ('gdp', 'signal', 'kpi')),
  source_name text NOT NULL CHECK (length(source_name) <= 500),    -- GDP_Sales, erp_eod_sync, CFO-EF-02@1.1.0
  tenant_id   text NOT NULL,
  first_seen  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (binding_id, source_type, source_name)
);
CREATE INDEX ON kpi_lineage_source (tenant_id, source_type, source_name);

-- What ran before: of each binding its latest run that was reported.
ALTER TABLE kpi_job_binding NO FORCE ROW LEVEL SECURITY;
ALTER TABLE kpi_evidence NO FORCE ROW LEVEL SECURITY;
INSERT INTO kpi_lineage_source (binding_id, source_type, source_name, tenant_id)
SELECT DISTINCT b.binding_id, s.type, s.name, b.tenant_id
  FROM kpi_job_binding b
  JOIN LATERAL (
    SELECT document FROM kpi_evidence e WHERE e.binding_id = b.binding_id AND e.kind = 'run' AND e.document->>'status' IN ('success', 'partial')
     ORDER BY e.recorded_at DESC LIMIT 1) e ON true
  JOIN LATERAL (
    SELECT i->>'type' AS type, i->>'name' AS name FROM jsonb_path_query(e.document, '$.inputs[*]') AS i
    UNION
    SELECT i->>'type', CASE i->>'type' WHEN 'kpi' THEN concat(i->>'name', '@', i->>'version') ELSE i->>'name' END
      FROM jsonb_path_query(e.document, '$.lineage.sources[*]') AS i) s ON s.type IN ('gdp', 'signal', 'kpi') AND length(s.name) BETWEEN 1 AND 500;
ALTER TABLE kpi_job_binding FORCE ROW LEVEL SECURITY;
ALTER TABLE kpi_evidence FORCE ROW LEVEL SECURITY;

SELECT kpi_close_over_tenant('kpi_lineage_source');
GRANT SELECT ON kpi_lineage_source TO kpi_requests, kpi_scheduler, kpi_reader;
GRANT INSERT ON kpi_lineage_source TO kpi_scheduler;
