-- Where artifacts are kept, what was last read there, and which artifact each binding follows. Whether they agree is not stored:
-- it is a comparison of these rows with what is bound, made when somebody asks.
CREATE TABLE kpi_store (
  store           text PRIMARY KEY CHECK (store ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
  tenant_id       text NOT NULL REFERENCES kpi_tenant,
  environment     text NOT NULL CHECK (environment IN ('dev', 'stg', 'prod')),
  kind            text NOT NULL CHECK (kind IN ('git', 'directory')),
  location        text NOT NULL,                   -- never with a credential
  branch          text,
  paths           text[] NOT NULL,
  configured      boolean NOT NULL DEFAULT true,   -- false: the settings have it no more; what was read of it stays
  -- The pass: one node at a time, and what it writes is written under its own fence.
  fence           bigint NOT NULL DEFAULT 0,
  claimed_at      timestamptz,
  claimed_until   timestamptz,
  next_pass_at    timestamptz NOT NULL DEFAULT now(),
  asked_at        timestamptz,                     -- somebody wanted one at once
  reads_all       boolean NOT NULL DEFAULT false,  -- the next one reads every artifact again, changed or not
  pass_started_at timestamptz,                     -- of the last one that ended, well or not
  pass_ended_at   timestamptz,
  -- What the last good pass found.
  version         text,                            -- Git: the commit; a directory: a digest of its listing
  read_at         timestamptz,
  artifacts       int NOT NULL DEFAULT 0,
  contents_read   int NOT NULL DEFAULT 0,          -- by that pass: 0 where nothing had changed
  -- Since then.
  failing_since   timestamptz,
  failures        int NOT NULL DEFAULT 0,
  failure         text,
  -- Git: the last time that a commit which had been read was no longer part of the branch.
  rewritten_at    timestamptz,
  rewritten_from  text,
  rewritten_to    text,
  CHECK ((failing_since IS NULL) = (failures = 0) AND (failing_since IS NULL) = (failure IS NULL)),
  CHECK ((rewritten_at IS NULL) = (rewritten_from IS NULL) AND (rewritten_at IS NULL) = (rewritten_to IS NULL))
);
CREATE INDEX kpi_store_tenant ON kpi_store (tenant_id, environment);

CREATE TABLE kpi_store_artifact (
  store        text NOT NULL REFERENCES kpi_store,
  path         text NOT NULL,
  tenant_id    text NOT NULL,
  version      text NOT NULL,                      -- Git: the blob; a directory: the file's time and size
  store_commit text,                               -- Git: the commit in which this version was first seen
  job_id       text,                               -- null: it never could be read; kept when it no longer can
  content_hash text CHECK (content_hash ~ '^sha256:[0-9a-f]{64}$'),
  raw_sha256   text CHECK (raw_sha256 ~ '^sha256:[0-9a-f]{64}$'),
  format       text NOT NULL CHECK (format IN ('yaml', 'json')),
  content      text,
  fault        text CHECK (fault IN ('invalid', 'unreadable')),
  problem      text,
  changed_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (store, path),
  CHECK ((fault IS NULL) = (problem IS NULL)),
  CHECK (fault IS NOT NULL OR (job_id IS NOT NULL AND content_hash IS NOT NULL AND content IS NOT NULL))
);
CREATE INDEX kpi_store_artifact_job ON kpi_store_artifact (store, job_id);

-- Which store a binding follows, and the last version there that was what is bound.
CREATE TABLE kpi_source_ref (
  binding_id   bigint PRIMARY KEY REFERENCES kpi_job_binding,
  tenant_id    text NOT NULL,
  store        text NOT NULL REFERENCES kpi_store,
  path         text,                               -- null: it was never found there
  store_commit text,
  raw_sha256   text,
  content_hash text,
  agreed_at    timestamptz,
  CHECK ((agreed_at IS NULL) = (content_hash IS NULL))
);
CREATE INDEX kpi_source_ref_store ON kpi_source_ref (store);

-- They stood beside the binding, and nothing ever wrote them.
ALTER TABLE kpi_job_binding DROP COLUMN source_path, DROP COLUMN source_commit;

SELECT kpi_close_over_tenant('kpi_store'), kpi_close_over_tenant('kpi_store_artifact'), kpi_close_over_tenant('kpi_source_ref');
GRANT SELECT ON kpi_store, kpi_store_artifact, kpi_source_ref TO kpi_requests, kpi_scheduler, kpi_reader;
GRANT UPDATE (next_pass_at, asked_at, reads_all) ON kpi_store TO kpi_requests;
GRANT INSERT, UPDATE ON kpi_store TO kpi_scheduler;
GRANT INSERT, UPDATE, DELETE ON kpi_store_artifact, kpi_source_ref TO kpi_scheduler;
