-- What happened, chained per tenant: links name rows and carry their hashes, so that a row that was changed, removed or
-- added beside the chain is found. docs/audit-format.md says how each hash is taken.

-- One row a tenant, held by whoever links: two sequencers cannot fork a chain.
CREATE TABLE kpi_chain_head (
  tenant_id text PRIMARY KEY,                      -- '*': the cluster's own acts
  seq       bigint NOT NULL CHECK (seq >= 0),
  hash      bytea NOT NULL CHECK (length(hash) = 32)
) WITH (fillfactor = 50);

CREATE TABLE kpi_chain_link (
  tenant_id  text NOT NULL,
  seq        bigint NOT NULL CHECK (seq > 0),
  linked_at  timestamptz NOT NULL,
  -- A row each, in the order in which they are hashed: a audit, e evidence, h history.
  row_kinds  "char"[] NOT NULL,
  row_ids    bigint[] NOT NULL,
  row_times  timestamptz[] NOT NULL,
  row_hashes bytea NOT NULL,                       -- 32 bytes a row
  prev_hash  bytea NOT NULL CHECK (length(prev_hash) = 32),
  hash       bytea NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (tenant_id, seq),
  CHECK (cardinality(row_ids) > 0 AND cardinality(row_ids) = cardinality(row_kinds) AND cardinality(row_ids) = cardinality(row_times)
    AND length(row_hashes) = 32 * cardinality(row_ids))
);

CREATE TABLE kpi_chain_checkpoint (
  tenant_id text NOT NULL,
  seq       bigint NOT NULL,
  hash      bytea NOT NULL,
  signed_at timestamptz NOT NULL,
  key_id    text NOT NULL,
  signature bytea NOT NULL,
  PRIMARY KEY (tenant_id, seq),
  FOREIGN KEY (tenant_id, seq) REFERENCES kpi_chain_link
);

SELECT kpi_close_over_tenant('kpi_chain_head'), kpi_close_over_tenant('kpi_chain_link'), kpi_close_over_tenant('kpi_chain_checkpoint');

DO $append_only$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['kpi_chain_link', 'kpi_chain_checkpoint'] LOOP
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION kpi_refuse_change()', t);
    EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION kpi_refuse_change()', t);
  END LOOP;
END
$append_only$;

-- Reports that came too late or were refused are evidence too, and no run's row leads to them.
ALTER TABLE kpi_chain_pending ADD COLUMN evidence_ids bigint[] NOT NULL DEFAULT '{}';

GRANT SELECT ON kpi_chain_head, kpi_chain_link, kpi_chain_checkpoint TO kpi_requests, kpi_scheduler, kpi_reader;
GRANT INSERT ON kpi_chain_link, kpi_chain_checkpoint TO kpi_scheduler;
GRANT INSERT, UPDATE ON kpi_chain_head TO kpi_scheduler;
GRANT DELETE ON kpi_chain_pending TO kpi_scheduler;

-- What is chained or waits for it.
CREATE VIEW kpi_chained WITH (security_invoker = true) AS
  SELECT 'a'::"char" AS kind, unnest(audit_ids) AS id FROM kpi_chain_pending
  UNION ALL SELECT 'e', unnest(evidence_ids) FROM kpi_chain_pending
  UNION ALL SELECT 'h', unnest(run_ids) FROM kpi_chain_pending
  UNION ALL SELECT unnest(row_kinds), unnest(row_ids) FROM kpi_chain_link;
GRANT SELECT ON kpi_chained TO kpi_scheduler, kpi_reader;

-- A queue: what is taken at its front must not pile up there.
ALTER TABLE kpi_chain_pending SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
