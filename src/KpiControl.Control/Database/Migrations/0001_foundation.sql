-- Roles are groups: an operator's login roles become members. Requests, the scheduler and migrations never share one.
DO $roles$
DECLARE wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['kpi_requests', 'kpi_scheduler', 'kpi_reader'] LOOP
    -- Two databases of one cluster may migrate at the same moment: the loser of that race finds what it wanted.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
      END;
    END IF;
  END LOOP;
END
$roles$;

-- One order over all leases, also across a failover that lost its tail: (epoch, number).
CREATE TABLE kpi_cluster (
  singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  epoch      int NOT NULL CHECK (epoch > 0),
  -- The timeline that PostgreSQL writes on. On another one nothing is granted until an operator bumps the epoch.
  timeline   text NOT NULL,
  bumped_at  timestamptz NOT NULL DEFAULT now(),
  -- The reclaimer's pass and its amnesty: after a gap nothing is reclaimed for one TTL, whichever node looks first.
  reclaimer_passed_at timestamptz NOT NULL DEFAULT now(),
  amnesty_until       timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10);
INSERT INTO kpi_cluster (epoch, timeline) VALUES (1, substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8));

-- CACHE 1: a block cached per connection would let a later grant take a smaller fence.
CREATE SEQUENCE kpi_fence CACHE 1;

-- Tenants and where they may run ---------------------------------------------------------------------------------

CREATE TABLE kpi_tenant (
  tenant_id   text PRIMARY KEY CHECK (tenant_id ~ '^[a-z][a-z0-9_-]{0,62}$'),
  home_region text,
  -- Share of a lane when more is due than there is credit for.
  weight      int NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 100),
  created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE kpi_tenant_region (
  tenant_id text NOT NULL REFERENCES kpi_tenant,
  region    text NOT NULL CHECK (region ~ '^[a-z][a-z0-9-]{0,31}$'),
  PRIMARY KEY (tenant_id, region)
);
ALTER TABLE kpi_tenant ADD CONSTRAINT kpi_tenant_home_region_allowed
  FOREIGN KEY (tenant_id, home_region) REFERENCES kpi_tenant_region DEFERRABLE INITIALLY DEFERRED;

-- Versions are kept: a run names the policy that was in force.
CREATE TABLE kpi_tenant_policy (
  tenant_id      text NOT NULL REFERENCES kpi_tenant,
  environment    text NOT NULL CHECK (environment IN ('dev', 'stg', 'prod')),
  version        int NOT NULL CHECK (version > 0),
  document       jsonb NOT NULL,
  effective_from timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, environment, version)
);

-- A lane is what one scan of due slots reads: a region at a priority. Negative in kpi_job_runtime: parked by a pause.
CREATE TABLE kpi_lane (
  lane     smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY CHECK (lane > 0),
  region   text NOT NULL,
  priority smallint NOT NULL CHECK (priority BETWEEN 1 AND 6),  -- 6: catch-up and backfill, after everything live
  UNIQUE (region, priority)
);

-- The catalogue ----------------------------------------------------------------------------------------------------

CREATE TABLE kpi_contract (
  tenant_id      text NOT NULL REFERENCES kpi_tenant,
  kpi_id         text NOT NULL,
  version        text NOT NULL,
  contract_id    text NOT NULL,
  digest         text NOT NULL CHECK (digest ~ '^sha256:[0-9a-f]{64}$'),
  format         text NOT NULL CHECK (format IN ('yaml', 'json')),
  content        text NOT NULL,
  canonical_json text NOT NULL,
  status         text NOT NULL CHECK (status IN ('draft', 'proposed', 'approved', 'active', 'deprecated', 'retired')),
  created_at     timestamptz NOT NULL DEFAULT now(),
  created_by     text NOT NULL,
  PRIMARY KEY (tenant_id, kpi_id, version)
);

-- The seed's tables: definitions and bindings -------------------------------------------------------------------------

CREATE TABLE kpi_job_def (
  def_id         bigserial PRIMARY KEY,
  content_hash   text UNIQUE NOT NULL CHECK (content_hash ~ '^sha256:[0-9a-f]{64}$'),
  format         text CHECK (format IN ('yaml', 'json')) NOT NULL,
  content        text NOT NULL,                    -- as first written
  schema_version text NOT NULL,
  created_at     timestamptz NOT NULL DEFAULT now(),
  tenant_id      text NOT NULL REFERENCES kpi_tenant,
  canonical_json text NOT NULL,                    -- what the hash is taken over
  created_by     text NOT NULL
);
CREATE INDEX ON kpi_job_def (tenant_id);

CREATE TABLE kpi_job_binding (
  binding_id       bigserial PRIMARY KEY,
  def_id           bigint NOT NULL REFERENCES kpi_job_def,
  tenant_id        text NOT NULL REFERENCES kpi_tenant,
  environment      text CHECK (environment IN ('dev', 'stg', 'prod')) NOT NULL,
  region           text NOT NULL,
  job_id           text NOT NULL,
  kpi_id           text NOT NULL,
  contract_version text NOT NULL,
  schedule_cron    text NOT NULL,                  -- '' for event and manual jobs
  timezone         text NOT NULL,
  active_flag      boolean NOT NULL DEFAULT true,
  scd_view         text NOT NULL DEFAULT 'as_reported' CHECK (scd_view IN ('as_reported', 'restated')),
  created_at       timestamptz NOT NULL DEFAULT now(),
  -- What cron cannot say: day_match, catchup, overlap …
  schedule_extra   jsonb NOT NULL DEFAULT '{}',
  -- Rises with every change of what is in force; the etag is made of it. kpi_job_runtime carries the same number.
  revision         int NOT NULL DEFAULT 1,
  -- Set by a schedule tweak that stands over the definition's own schedule.
  schedule_overridden boolean NOT NULL DEFAULT false,
  -- The authored form behind the binding: the text's own hash, and where it came from.
  raw_sha256       text,
  source_path      text,
  source_commit    text,
  created_by       text NOT NULL,
  UNIQUE (tenant_id, environment, job_id),
  FOREIGN KEY (tenant_id, region) REFERENCES kpi_tenant_region
);
CREATE INDEX ON kpi_job_binding (tenant_id, environment, region, kpi_id, contract_version);
CREATE INDEX ON kpi_job_binding (def_id);

-- Append-only: what was in force, so that the ledger can be proven against it. A revision ends where the next begins.
CREATE TABLE kpi_binding_revision (
  binding_id       bigint NOT NULL REFERENCES kpi_job_binding,
  revision         int NOT NULL,
  tenant_id        text NOT NULL,
  def_id           bigint NOT NULL REFERENCES kpi_job_def,
  contract_digest  text NOT NULL,
  schedule_cron    text NOT NULL,
  timezone         text NOT NULL,
  schedule_extra   jsonb NOT NULL,
  active           boolean NOT NULL,
  zone_version     text NOT NULL,
  effective_from   timestamptz NOT NULL DEFAULT now(),
  -- No slot at or before this instant belongs to this revision: an edit never fires the past.
  first_slot_after timestamptz NOT NULL DEFAULT now(),
  changed_by       text NOT NULL,
  reason           text NOT NULL DEFAULT '',
  PRIMARY KEY (binding_id, revision)
);

CREATE TABLE kpi_job_dependency (
  binding_id bigint NOT NULL REFERENCES kpi_job_binding,
  dep_type   text CHECK (dep_type IN ('gdp', 'signal', 'kpi')) NOT NULL,
  dep_value  text NOT NULL,                        -- GDP_Receivables, erp_eod_sync, CFO-EF-02@1.1.0
  tenant_id  text NOT NULL,
  max_age    interval,
  PRIMARY KEY (binding_id, dep_type, dep_value)
);
CREATE INDEX ON kpi_job_dependency (tenant_id, dep_type, dep_value);

CREATE TABLE kpi_job_alert (
  binding_id    bigint NOT NULL REFERENCES kpi_job_binding,
  channel_type  text CHECK (channel_type IN ('email', 'slack', 'opsgenie', 'pagerduty', 'webhook')) NOT NULL,
  channel_value text NOT NULL,                     -- slack:#kpi-alerts
  severity      text CHECK (severity IN ('low', 'medium', 'high')) NOT NULL,
  tenant_id     text NOT NULL,
  events        text[] NOT NULL,
  PRIMARY KEY (binding_id, channel_value, severity)
);

-- Append-only: an interval is opened by one row and closed by another.
CREATE TABLE kpi_pause (
  pause_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  binding_id   bigint NOT NULL REFERENCES kpi_job_binding,
  tenant_id    text NOT NULL,
  paused_at    timestamptz NOT NULL DEFAULT now(),
  paused_until timestamptz NOT NULL,
  reason       text NOT NULL DEFAULT '',
  paused_by    text NOT NULL
);
CREATE INDEX ON kpi_pause (binding_id, pause_id);
CREATE TABLE kpi_pause_end (
  pause_id  bigint PRIMARY KEY REFERENCES kpi_pause,  -- so a pause ends, and is audited, once
  tenant_id text NOT NULL,
  ended_at  timestamptz NOT NULL,
  reason    text NOT NULL DEFAULT '',
  ended_by  text NOT NULL
);

-- The hot path ----------------------------------------------------------------------------------------------------------

-- One row a binding carries its cursor, its open occurrence and its lease: no second row can disagree with it.
CREATE TABLE kpi_job_runtime (
  binding_id        bigint PRIMARY KEY,
  next_run_at       timestamptz,                   -- the cursor: what became an occurrence lies before it
  last_run_at       timestamptz,
  paused_until      timestamptz,                   -- 'infinity': until resumed
  -- The open occurrence; occ_state NULL: none. The facts stay when it ends: the next slot overwrites them.
  occ_scheduled_for timestamptz,
  occ_window_start  timestamptz,
  occ_retry_at      timestamptz,
  occ_deadline      timestamptz,                   -- waiting or ready, it gives up then
  queued_slot       timestamptz,                   -- the slot that was last queued behind the open one
  lease_deadline    timestamptz,
  fence_n           bigint NOT NULL DEFAULT 0,
  session_id        bigint,
  fresh_until       timestamptz,                   -- the SLA clock of a success
  fence_epoch       int NOT NULL DEFAULT 0,
  generation        int,
  revision          int NOT NULL DEFAULT 1,
  retry_count       int NOT NULL DEFAULT 0,
  occ_revision      int,                           -- what the open attempt was granted under
  queued            int NOT NULL DEFAULT 0 CHECK (queued >= 0),
  occ_business_date date,
  lane              smallint NOT NULL CHECK (lane <> 0),
  occ_kind          smallint,                      -- 0 schedule, 1 event, 2 manual, 3 replay, 4 backfill
  occ_reason        smallint,                      -- why it waits: KpiControl.Control.Leases.WaitingFor
  occ_state         "char" CHECK (occ_state IN ('W', 'R', 'L')),
  active            boolean NOT NULL DEFAULT true,
  occ_cancel        boolean NOT NULL DEFAULT false,
  attempt_id        uuid,
  tenant_id         text NOT NULL,
  last_status       text CHECK (last_status IN ('success', 'failed', 'partial')),
  last_error        text CHECK (length(last_error) <= 300),  -- the full text is in history: this row must stay narrow
  CHECK (occ_state IS NULL OR (occ_scheduled_for IS NOT NULL AND occ_kind IS NOT NULL AND occ_business_date IS NOT NULL)),
  CHECK ((occ_state IS NOT DISTINCT FROM 'L') = (session_id IS NOT NULL)),
  CHECK ((session_id IS NULL) = (generation IS NULL) AND (session_id IS NULL) = (lease_deadline IS NULL)),
  CHECK (occ_state IS DISTINCT FROM 'L' OR (attempt_id IS NOT NULL AND fence_n > 0 AND fence_epoch > 0))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
-- The only moving index. Another one, or a partial one on occ_state, makes every grant and completion a cold update.
CREATE INDEX kpi_job_runtime_due ON kpi_job_runtime (lane, next_run_at);

-- The few open occurrences that are not leased: a list to find them by. kpi_job_runtime is the truth.
CREATE TABLE kpi_parked (
  binding_id bigint PRIMARY KEY,
  ticket     bigint GENERATED ALWAYS AS IDENTITY,  -- another one each time the binding is parked
  lane       smallint NOT NULL CHECK (lane > 0),   -- a pause hides a row here by the runtime row's lane, never by this one
  tenant_id  text NOT NULL,
  state      "char" NOT NULL CHECK (state IN ('W', 'R')),
  ready_at   timestamptz NOT NULL,
  deadline   timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX ON kpi_parked (lane, ready_at) WHERE state = 'R';
CREATE INDEX ON kpi_parked (deadline);

-- What does not fit one open occurrence: triggered, queued behind another, or a stretch of slots to catch up with.
CREATE TABLE kpi_occurrence (
  binding_id    bigint NOT NULL REFERENCES kpi_job_binding,
  scheduled_for timestamptz NOT NULL,
  kind          smallint NOT NULL,
  last_slot     timestamptz NOT NULL,              -- later than scheduled_for: a stretch, run one by one, oldest first
  lane          smallint NOT NULL,
  window_start  timestamptz,
  business_date date NOT NULL,
  revision      int NOT NULL,
  tenant_id     text NOT NULL,
  requested_by  text NOT NULL,
  reason        text NOT NULL DEFAULT '',
  created_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (binding_id, scheduled_for, kind),
  CHECK (last_slot >= scheduled_for)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX ON kpi_occurrence (lane, scheduled_for);

-- Slots that no schedule's cursor guards: kept longer than anything can be delivered again.
CREATE TABLE kpi_slot (
  binding_id bigint NOT NULL REFERENCES kpi_job_binding,
  slot_key   text NOT NULL,
  tenant_id  text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (binding_id, slot_key)
);

-- One row a dependency waited for.
CREATE TABLE kpi_occurrence_wait (
  binding_id    bigint NOT NULL,
  dep_type      text NOT NULL,
  dep_value     text NOT NULL,
  tenant_id     text NOT NULL,
  environment   text NOT NULL,
  region        text NOT NULL,
  business_date date NOT NULL,
  scheduled_for timestamptz NOT NULL,
  window_start  timestamptz,
  need_through  timestamptz,                       -- gdp: the end of the business date
  max_age       interval,
  since         timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (binding_id, dep_type, dep_value)
);
CREATE INDEX ON kpi_occurrence_wait (tenant_id, environment, dep_type, dep_value);

CREATE TABLE kpi_signal (
  signal_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id     text NOT NULL REFERENCES kpi_tenant,
  environment   text NOT NULL CHECK (environment IN ('dev', 'stg', 'prod')),
  region        text,                              -- NULL serves every region
  name          text NOT NULL,
  business_date date,                              -- NULL: serves the oldest open occurrence of each binding, once
  published_at  timestamptz NOT NULL DEFAULT now(),
  published_by  text NOT NULL
);
CREATE INDEX ON kpi_signal (tenant_id, environment, name, business_date);
CREATE TABLE kpi_signal_use (                      -- an undated signal serves a binding once
  signal_id     bigint NOT NULL REFERENCES kpi_signal,
  binding_id    bigint NOT NULL,
  tenant_id     text NOT NULL,
  scheduled_for timestamptz NOT NULL,
  PRIMARY KEY (signal_id, binding_id)
);

CREATE TABLE kpi_refresh (
  refresh_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id    text NOT NULL REFERENCES kpi_tenant,
  environment  text NOT NULL CHECK (environment IN ('dev', 'stg', 'prod')),
  region       text,
  dataset      text NOT NULL,
  data_through timestamptz NOT NULL,
  source_run   text NOT NULL,
  version      text NOT NULL DEFAULT '',
  published_at timestamptz NOT NULL DEFAULT now(),
  published_by text NOT NULL,
  UNIQUE NULLS NOT DISTINCT (tenant_id, environment, region, dataset, source_run)
);
CREATE INDEX ON kpi_refresh (tenant_id, environment, dataset, data_through);

-- Nodes and sessions --------------------------------------------------------------------------------------------------------

CREATE TABLE kpi_node (
  node_id    int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name       text NOT NULL UNIQUE,
  generation int NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL
) WITH (fillfactor = 10);

CREATE TABLE kpi_session (
  session_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  agent       text NOT NULL,
  instance    uuid NOT NULL,
  region      text NOT NULL,
  node_id     int NOT NULL REFERENCES kpi_node,
  node_generation int NOT NULL,                    -- a node that restarted carries none of its former sessions
  generation  int NOT NULL CHECK (generation > 0),
  build       text NOT NULL,
  labels      jsonb NOT NULL DEFAULT '{}',
  connections jsonb NOT NULL DEFAULT '{}',
  slots       int NOT NULL,
  opened_at   timestamptz NOT NULL DEFAULT now(),
  ended_at    timestamptz,
  end_reason  text,
  reclaimed_at timestamptz,                        -- its leases were given back
  CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
  CHECK (reclaimed_at IS NULL OR ended_at IS NOT NULL)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX kpi_session_one_live_per_agent ON kpi_session (agent) WHERE ended_at IS NULL;
CREATE INDEX ON kpi_session (session_id) WHERE ended_at IS NOT NULL AND reclaimed_at IS NULL;

CREATE TABLE kpi_session_tenant (
  session_id bigint NOT NULL REFERENCES kpi_session,
  tenant_id  text NOT NULL REFERENCES kpi_tenant,
  PRIMARY KEY (session_id, tenant_id)
);

CREATE TABLE kpi_sla_clock (
  binding_id bigint NOT NULL REFERENCES kpi_job_binding,
  clock      text NOT NULL CHECK (clock IN ('freshness', 'latency', 'availability')),
  tenant_id  text NOT NULL,
  due_at     timestamptz,
  state      text NOT NULL DEFAULT 'not_watched',
  PRIMARY KEY (binding_id, clock)
);
CREATE INDEX ON kpi_sla_clock (due_at);

-- What happened: append-only, by month -----------------------------------------------------------------------------------------

CREATE TABLE kpi_job_history (
  run_id         bigint NOT NULL,                  -- the number of the attempt's fence: one sequence, not two
  recorded_at    timestamptz NOT NULL DEFAULT now(),
  binding_id     bigint NOT NULL,
  scheduled_for  timestamptz NOT NULL,
  window_start   timestamptz,
  started_at     timestamptz,
  finished_at    timestamptz,
  slot_last      timestamptz,                      -- with slot_count: the end of a stretch of missed slots
  session_id     bigint,
  rows_processed bigint,
  revision       int NOT NULL,
  retry_seq      int NOT NULL DEFAULT 0,           -- 0: the first try
  fence_epoch    int,
  data_points    int,
  slot_count     int NOT NULL DEFAULT 1 CHECK (slot_count >= 1),
  business_date  date NOT NULL,
  lane           smallint NOT NULL,
  final          boolean NOT NULL,                 -- its occurrence's one disposition
  sla_breached   boolean,
  attempt_id     uuid,
  tenant_id      text NOT NULL,
  status         text NOT NULL CHECK (status IN ('success', 'partial', 'failed', 'suppressed', 'cancelled', 'skipped', 'lost')),
  trigger_kind   text NOT NULL CHECK (trigger_kind IN ('schedule', 'event', 'manual', 'replay', 'backfill')),
  zone_version   text,
  reason         text,
  error_category text,
  error_code     text,
  error_message  text,
  lineage_ref    text,
  result_digest  bytea,
  PRIMARY KEY (run_id, recorded_at),
  CHECK ((slot_last IS NULL) = (slot_count = 1)),
  CHECK (status <> 'lost' OR NOT final),
  CHECK (status <> 'skipped' OR reason IS NOT NULL)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX ON kpi_job_history (binding_id, recorded_at);

-- What a run said about itself, and reports that came too late: run, stale_fence, refused.
CREATE TABLE kpi_evidence (
  evidence_id bigint GENERATED BY DEFAULT AS IDENTITY,
  recorded_at timestamptz NOT NULL DEFAULT now(),
  run_id      bigint NOT NULL,
  binding_id  bigint NOT NULL,
  tenant_id   text NOT NULL,
  attempt_id  uuid NOT NULL,
  kind        text NOT NULL CHECK (kind IN ('run', 'stale_fence', 'refused')),
  document    jsonb NOT NULL,
  PRIMARY KEY (evidence_id, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX ON kpi_evidence (run_id);
CREATE INDEX ON kpi_evidence (binding_id, recorded_at);

CREATE TABLE kpi_audit (
  audit_id    bigint GENERATED BY DEFAULT AS IDENTITY,
  recorded_at timestamptz NOT NULL DEFAULT now(),
  tenant_id   text NOT NULL,
  environment text,
  actor       text NOT NULL,
  verb        text NOT NULL,
  object_kind text NOT NULL,                       -- binding, contract, signal, refresh, occurrence, session
  object_id   text NOT NULL,
  reason      text NOT NULL DEFAULT '',
  before      jsonb,
  after       jsonb,
  request_id  uuid,
  PRIMARY KEY (audit_id, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX ON kpi_audit (tenant_id, recorded_at);

-- Rows commit un-chained with an entry here; one sequencer will move entries into the chain of their tenant.
CREATE TABLE kpi_chain_pending (
  pending_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_ids     bigint[] NOT NULL DEFAULT '{}',
  audit_ids   bigint[] NOT NULL DEFAULT '{}',
  recorded_at timestamptz NOT NULL DEFAULT now()
);

-- The same id and body answers the same for 24 hours.
CREATE TABLE kpi_request (
  principal   text NOT NULL,
  request_id  uuid NOT NULL,
  method      text NOT NULL,
  body_digest bytea NOT NULL,
  response    bytea,                               -- NULL only inside the transaction that claims it
  demanded    jsonb NOT NULL DEFAULT '[]',         -- verbs, tenants and environments that the caller must still have to be answered
  recorded_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (principal, request_id)
);
CREATE INDEX ON kpi_request (recorded_at);

-- Partitions are made ahead by the scheduler and dropped whole by retention; only the owner may do either.
CREATE FUNCTION kpi_make_partitions(months_ahead int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $make$
DECLARE
  parent text; month date; made int := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('kpi_make_partitions'));
  FOREACH parent IN ARRAY ARRAY['kpi_job_history', 'kpi_evidence', 'kpi_audit'] LOOP
    FOR i IN -1 .. months_ahead LOOP
      month := date_trunc('month', now() AT TIME ZONE 'UTC')::date + make_interval(months => i);
      IF to_regclass(format('%s_%s', parent, to_char(month, 'YYYYMM'))) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
          parent || '_' || to_char(month, 'YYYYMM'), parent,
          month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month')::timestamp AT TIME ZONE 'UTC');
        made := made + 1;
      END IF;
    END LOOP;
  END LOOP;
  RETURN made;
END
$make$;
SELECT kpi_make_partitions(3);

-- Append-only twice over: no role is granted more, and the owner's own slip is refused too.
CREATE FUNCTION kpi_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $refuse$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$refuse$;
DO $append_only$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['kpi_job_history', 'kpi_evidence', 'kpi_audit', 'kpi_binding_revision', 'kpi_pause', 'kpi_pause_end', 'kpi_tenant_policy'] LOOP
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION kpi_refuse_change()', t);
    EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION kpi_refuse_change()', t);
  END LOOP;
END
$append_only$;

CREATE FUNCTION kpi_refuse_content_change() RETURNS trigger LANGUAGE plpgsql AS $refuse$
BEGIN
  IF (NEW.digest, NEW.content, NEW.canonical_json, NEW.tenant_id, NEW.kpi_id, NEW.version)
     IS DISTINCT FROM (OLD.digest, OLD.content, OLD.canonical_json, OLD.tenant_id, OLD.kpi_id, OLD.version) THEN
    RAISE EXCEPTION 'a contract version is immutable' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END
$refuse$;
CREATE TRIGGER immutable BEFORE UPDATE ON kpi_contract FOR EACH ROW EXECUTE FUNCTION kpi_refuse_content_change();

CREATE FUNCTION kpi_kind_name(kind smallint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (ARRAY['schedule', 'event', 'manual', 'replay', 'backfill'])[kind + 1]
$$;

-- Every open occurrence, wherever it is kept. Slots that are due and not yet taken up lie between the cursor and now.
CREATE VIEW kpi_open_occurrence WITH (security_invoker = true) AS
  SELECT rt.binding_id, rt.tenant_id, rt.occ_scheduled_for AS scheduled_for, rt.occ_scheduled_for AS last_slot,
         rt.occ_kind AS kind, rt.occ_window_start AS window_start, rt.occ_business_date AS business_date, rt.revision,
         CASE rt.occ_state WHEN 'W' THEN 'waiting' WHEN 'R' THEN 'ready' ELSE 'leased' END AS state,
         rt.occ_reason AS reason, rt.retry_count, rt.attempt_id, rt.session_id, rt.occ_retry_at, rt.occ_deadline AS deadline
    FROM kpi_job_runtime rt WHERE rt.occ_state IS NOT NULL
  UNION ALL
  SELECT o.binding_id, o.tenant_id, o.scheduled_for, o.last_slot, o.kind, o.window_start, o.business_date, o.revision,
         'queued', NULL, 0, NULL, NULL, NULL, NULL
    FROM kpi_occurrence o;

-- Who may what. Requests read and edit what people own; only the scheduler moves occurrences; both only add to what happened.
GRANT USAGE ON SCHEMA public TO kpi_requests, kpi_scheduler, kpi_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO kpi_requests, kpi_scheduler, kpi_reader;
GRANT INSERT, UPDATE ON kpi_contract, kpi_job_binding, kpi_job_runtime TO kpi_requests;
GRANT INSERT ON kpi_job_def, kpi_binding_revision, kpi_pause, kpi_pause_end, kpi_slot, kpi_signal, kpi_refresh, kpi_lane TO kpi_requests;
GRANT INSERT, UPDATE, DELETE ON kpi_occurrence, kpi_parked, kpi_occurrence_wait, kpi_signal_use, kpi_request, kpi_sla_clock TO kpi_requests;
GRANT INSERT, DELETE ON kpi_job_dependency, kpi_job_alert TO kpi_requests;
GRANT INSERT ON kpi_job_history, kpi_evidence, kpi_audit, kpi_chain_pending TO kpi_requests, kpi_scheduler;
GRANT INSERT, UPDATE ON kpi_node, kpi_session, kpi_tenant, kpi_lane TO kpi_scheduler;
GRANT UPDATE ON kpi_cluster, kpi_job_runtime TO kpi_scheduler;
GRANT INSERT ON kpi_session_tenant, kpi_tenant_policy, kpi_slot, kpi_pause_end TO kpi_scheduler;
GRANT INSERT, DELETE ON kpi_tenant_region TO kpi_scheduler;
GRANT DELETE ON kpi_session_tenant, kpi_request TO kpi_scheduler;
GRANT INSERT, UPDATE, DELETE ON kpi_occurrence, kpi_parked, kpi_occurrence_wait, kpi_signal_use, kpi_sla_clock TO kpi_scheduler;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO kpi_requests, kpi_scheduler;
REVOKE ALL ON FUNCTION kpi_make_partitions(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kpi_make_partitions(int) TO kpi_scheduler;
-- No direct way around the parents.
DO $partitions$
DECLARE p regclass;
BEGIN
  FOR p IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent IN ('kpi_job_history'::regclass, 'kpi_evidence'::regclass, 'kpi_audit'::regclass) LOOP
    EXECUTE format('REVOKE ALL ON %s FROM kpi_requests, kpi_scheduler, kpi_reader', p);
  END LOOP;
END
$partitions$;
