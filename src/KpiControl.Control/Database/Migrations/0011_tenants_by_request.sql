-- Tenants and their policies are changed by people too, not only by the configuration of a node.
ALTER TABLE kpi_tenant
  ADD COLUMN revision int NOT NULL DEFAULT 1,
  -- Digest of what the configuration last said: it is written again when that changes, and not over what people did meanwhile.
  ADD COLUMN configured text;

GRANT INSERT, UPDATE (home_region, weight, revision) ON kpi_tenant TO kpi_requests;
GRANT INSERT, DELETE ON kpi_tenant_region TO kpi_requests;
GRANT INSERT ON kpi_tenant_policy TO kpi_requests;

-- Where a tenant may run is the platform's to say: a tenant's own administrator sees it and cannot write it.
CREATE POLICY operators_insert ON kpi_tenant AS RESTRICTIVE FOR INSERT TO kpi_requests WITH CHECK ((SELECT kpi_caller_is_everywhere()));
CREATE POLICY operators_update ON kpi_tenant AS RESTRICTIVE FOR UPDATE TO kpi_requests USING ((SELECT kpi_caller_is_everywhere()));
CREATE POLICY operators_insert ON kpi_tenant_region AS RESTRICTIVE FOR INSERT TO kpi_requests WITH CHECK ((SELECT kpi_caller_is_everywhere()));
CREATE POLICY operators_delete ON kpi_tenant_region AS RESTRICTIVE FOR DELETE TO kpi_requests USING ((SELECT kpi_caller_is_everywhere()));
