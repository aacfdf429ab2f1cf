-- What is to be told to whom, written with what it tells of; sent by whichever node claims it.
CREATE TABLE kpi_alert_message (
  message_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id     text NOT NULL,
  binding_id    bigint NOT NULL REFERENCES kpi_job_binding,
  episode_id    bigint REFERENCES kpi_sla_episode,         -- NULL: a slot that was skipped
  event         text NOT NULL CHECK (event IN ('failure', 'sla_warn', 'sla_breach', 'skipped', 'recovered')),
  channel_type  text NOT NULL CHECK (channel_type IN ('email', 'slack', 'opsgenie', 'pagerduty', 'webhook')),
  channel_value text NOT NULL,
  severity      text NOT NULL,
  run_id        bigint,
  occurred_at   timestamptz NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT now(),
  group_id      bigint,                                    -- the first of those that are sent as one; never changes once it is set
  state         text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'held', 'sent', 'dead', 'dropped')),
  reason        text,                                      -- why it was dropped
  held_since    timestamptz,
  tries         int NOT NULL DEFAULT 0,                    -- rises with each claim: who claimed before has no say any more
  -- Two seconds: what happens at one moment to many jobs is told as one.
  next_at       timestamptz NOT NULL DEFAULT now() + interval '2 seconds',
  last_error    text,
  sent_at       timestamptz
) WITH (fillfactor = 70);
CREATE INDEX ON kpi_alert_message (next_at) WHERE state IN ('pending', 'held');
CREATE INDEX ON kpi_alert_message (group_id) WHERE state IN ('pending', 'dead');
CREATE INDEX ON kpi_alert_message (binding_id, created_at);
CREATE INDEX ON kpi_alert_message (episode_id);
CREATE INDEX ON kpi_alert_message (message_id) WHERE state = 'dead';

SELECT kpi_close_over_tenant('kpi_alert_message');
GRANT SELECT ON kpi_alert_message TO kpi_requests, kpi_scheduler, kpi_reader;
GRANT INSERT, UPDATE, DELETE ON kpi_alert_message TO kpi_scheduler;
GRANT UPDATE ON kpi_alert_message TO kpi_requests;
-- FOR UPDATE SKIP LOCKED: two nodes take different notices.
GRANT UPDATE ON kpi_run_notice TO kpi_scheduler;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO kpi_requests, kpi_scheduler;

-- Whoever writes history: an agent's report, a deadline, a quarantine, an edit. A success is told apart before the function is called.
CREATE FUNCTION kpi_notice_run() RETURNS trigger LANGUAGE plpgsql AS $notice$
BEGIN
  IF NEW.status <> 'skipped' OR EXISTS (SELECT FROM kpi_job_alert a WHERE a.binding_id = NEW.binding_id AND 'skipped' = ANY (a.events)) THEN
    INSERT INTO kpi_run_notice (tenant_id, binding_id, run_id, kind)
    VALUES (NEW.tenant_id, NEW.binding_id, NEW.run_id, CASE NEW.status WHEN 'skipped' THEN 'skipped' ELSE 'failure' END);
  END IF;
  RETURN NULL;
END
$notice$;
CREATE TRIGGER notice_run AFTER INSERT ON kpi_job_history FOR EACH ROW
  WHEN (NEW.final AND (NEW.status IN ('failed', 'suppressed')
    OR NEW.status = 'skipped' AND NEW.reason IN ('not_ready', 'pre_validation', 'unroutable', 'missed_window', 'contract_inactive', 'overlap')))
  EXECUTE FUNCTION kpi_notice_run();
