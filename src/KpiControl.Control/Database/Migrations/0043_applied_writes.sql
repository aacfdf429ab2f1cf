-- What is applied is written to the store that has the job, by the pass that writes everything else; and who is told that a job has drifted.
ALTER TABLE kpi_store
  ADD COLUMN writes_applied boolean NOT NULL DEFAULT true,
  ADD COLUMN new_jobs       text,                             -- where a job is written that no store has, with {job_id}; null: it is not
  ADD COLUMN signed         boolean NOT NULL DEFAULT false;   -- Git: commits that nobody known has signed are not read

ALTER TABLE kpi_store_write
  ADD COLUMN cause       text NOT NULL DEFAULT 'roll_back' CHECK (cause IN ('applied', 'roll_back')),
  -- What this one took the place of before it was known to be written: the store may hold that by now.
  ADD COLUMN over_hashes text[] NOT NULL DEFAULT '{}';

-- Since when a job has not been as its store has it; a pass writes it down, so that what is over within minutes is told nobody.
ALTER TABLE kpi_source_ref
  ADD COLUMN fault       text CHECK (fault IN ('drifted', 'missing', 'invalid', 'unreadable')),
  ADD COLUMN fault_since timestamptz,
  ADD CHECK ((fault IS NULL) = (fault_since IS NULL));
GRANT INSERT ON kpi_source_ref TO kpi_requests;

ALTER TABLE kpi_sla_episode
  ADD COLUMN detail text,
  DROP CONSTRAINT kpi_sla_episode_clock_check,
  ADD CONSTRAINT kpi_sla_episode_clock_check CHECK (clock IN ('freshness', 'latency', 'availability', 'failure', 'drift'));
ALTER TABLE kpi_alert_message
  DROP CONSTRAINT kpi_alert_message_event_check,
  ADD CONSTRAINT kpi_alert_message_event_check CHECK (event IN ('failure', 'sla_warn', 'sla_breach', 'skipped', 'drift', 'recovered'));

-- Looked at each second by every node.
CREATE INDEX kpi_source_ref_fault ON kpi_source_ref (binding_id) WHERE fault IS NOT NULL;
CREATE INDEX kpi_sla_episode_open_drift ON kpi_sla_episode (binding_id) WHERE clock = 'drift' AND resolved_at IS NULL;
