-- Lineage events that were given up are kept as long from then on as those that were sent, and may be sent again: for as long as a new one.
ALTER TABLE kpi_lineage_event
  ADD COLUMN ended_at  timestamptz,                        -- sent, or given up
  ADD COLUMN resent_at timestamptz;                        -- somebody had it sent again: it is given up so long after this
UPDATE kpi_lineage_event SET ended_at = COALESCE(sent_at, now()) WHERE state <> 'pending';
ALTER TABLE kpi_lineage_event ADD CHECK ((ended_at IS NULL) = (state = 'pending'));

DROP INDEX kpi_lineage_event_ended;
CREATE INDEX kpi_lineage_event_ended ON kpi_lineage_event (ended_at) WHERE state <> 'pending';
CREATE INDEX kpi_lineage_event_dead ON kpi_lineage_event (event_id) WHERE state = 'dead';

GRANT UPDATE (state, tries, next_at, resent_at, ended_at) ON kpi_lineage_event TO kpi_requests;
