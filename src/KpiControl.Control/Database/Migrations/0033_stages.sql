-- Stages of a run: contracts of the tables that they load and build, agents that can execute them, and whether a job computes its KPI.

-- The catalogue has contracts of KPIs, of GDP tables and of raw tables; for a table, kpi_id is its name.
ALTER TABLE kpi_contract ADD COLUMN contract_type text NOT NULL GENERATED ALWAYS AS (coalesce(canonical_json::jsonb #>> '{header,contract_type}', 'kpi')) STORED;

-- Which stages each connection of an agent executes: {"default": "gdp,kpi"}. An agent that says nothing executes kpi alone.
ALTER TABLE kpi_session ADD COLUMN connection_stages jsonb NOT NULL DEFAULT '{}';

-- A job that only loads or builds the KPI's tables computes no value that others could wait for.
ALTER TABLE kpi_job_def ADD COLUMN computes_kpi boolean NOT NULL GENERATED ALWAYS AS (
  CASE WHEN jsonb_typeof(canonical_json::jsonb #> '{run,stage_set}') = 'array' AND jsonb_array_length(canonical_json::jsonb #> '{run,stage_set}') > 0
       THEN jsonb_exists(canonical_json::jsonb #> '{run,stage_set}', 'kpi')
       ELSE coalesce(canonical_json::jsonb #>> '{run,profile}', 'kpi_only') IN ('kpi_only', 'backfill') END) STORED;

-- The refresh of a table that a run built is published in the transaction that records the run.
GRANT INSERT ON kpi_refresh TO kpi_scheduler;
