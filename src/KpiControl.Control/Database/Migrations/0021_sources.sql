-- Who applied a binding: what a set of artifacts no longer has is pruned only among what the same source applied.
ALTER TABLE kpi_job_binding
  ADD COLUMN source    text CHECK (source ~ '^[a-z0-9][a-z0-9._/-]{0,62}$'),
  -- Removed because its source has it no more: it comes back with the artifact. One that somebody made inactive does not.
  ADD COLUMN pruned_at timestamptz CHECK (pruned_at IS NULL OR NOT active_flag);
CREATE INDEX kpi_job_binding_source ON kpi_job_binding (tenant_id, environment, source, job_id) WHERE source IS NOT NULL;

-- A removal is agreed to like any other change; the source becomes the binding's with the release.
ALTER TABLE kpi_change ADD COLUMN source text CHECK (source ~ '^[a-z0-9][a-z0-9._/-]{0,62}$');
ALTER TABLE kpi_change DROP CONSTRAINT kpi_change_kind_check, ADD CONSTRAINT kpi_change_kind_check CHECK (kind IN ('create', 'update', 'remove'));
