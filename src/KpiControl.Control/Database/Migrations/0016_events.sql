-- A signal starts the event jobs that name it: found by name, once each.
CREATE INDEX kpi_job_binding_events ON kpi_job_binding (tenant_id, environment) WHERE schedule_extra ->> 'type' = 'event';

-- The instant of the occurrence that a slot became: the start of the next one's window.
ALTER TABLE kpi_slot ADD COLUMN scheduled_for timestamptz;
CREATE INDEX kpi_slot_instants ON kpi_slot (binding_id, scheduled_for) WHERE scheduled_for IS NOT NULL;
