-- An agent outlives its sessions: what an operator said of it stands whichever node it connects to next.
CREATE TABLE kpi_agent (
  agent        text PRIMARY KEY,
  drained_at   timestamptz,
  drained_by   text,
  drain_reason text,
  CHECK ((drained_at IS NULL) = (drained_by IS NULL) AND (drained_at IS NULL) = (drain_reason IS NULL))
) WITH (fillfactor = 50);
INSERT INTO kpi_agent (agent) SELECT DISTINCT agent FROM kpi_session;
-- Its agent's, in the row that every grant locks: so no grant can race a drain.
ALTER TABLE kpi_session ADD COLUMN drained_at timestamptz;

GRANT SELECT ON kpi_agent TO kpi_requests, kpi_scheduler, kpi_reader;
GRANT INSERT, UPDATE ON kpi_agent TO kpi_scheduler;
GRANT INSERT, UPDATE ON kpi_agent TO kpi_requests;
GRANT UPDATE (drained_at) ON kpi_session TO kpi_requests;
