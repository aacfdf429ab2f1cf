-- Artifacts are kept in buckets too.
ALTER TABLE kpi_store DROP CONSTRAINT kpi_store_kind_check;
ALTER TABLE kpi_store ADD CONSTRAINT kpi_store_kind_check CHECK (kind IN ('git', 'directory', 's3', 'azure-blob'));
