-- By which versions of the contracts of tables a release would run: a change of a job that loads or builds tables goes stale by them.
ALTER TABLE kpi_change
  ADD COLUMN tables          text[],                       -- those that the KPI reads; NULL: the job loads and builds none, and for changes of before
  ADD COLUMN table_contracts jsonb,                        -- {"gdp/NAME": digest, "raw/NAME": digest} as they were when it was proposed
  ADD CHECK ((tables IS NULL) = (table_contracts IS NULL));
