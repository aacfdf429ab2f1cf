using KpiControl.Control.Requests;

namespace KpiControl.Control.Authoring;

/// <summary>Finds bindings among those whose tenants exist for the caller.</summary>
internal static class BindingStore
{
    private const string Find = """
        SELECT b.binding_id, b.def_id, b.tenant_id, b.environment, b.region, b.job_id, b.kpi_id, b.contract_version, b.schedule_cron,
               b.timezone, b.active_flag, b.scd_view, b.schedule_extra::text AS schedule_extra, b.revision, b.schedule_overridden, d.content_hash
          FROM kpi_job_binding b JOIN kpi_job_def d USING (def_id)
         WHERE (@tenants::text[] IS NULL OR b.tenant_id = ANY (@tenants))
           AND (@BindingId::bigint = 0 OR b.binding_id = @BindingId)
           AND (@Tenant::text = '' OR b.tenant_id = @Tenant)
           AND (@Environment::text = '' OR b.environment = @Environment)
           AND (@JobId::text = '' OR b.job_id = @JobId)
        """;

    public static Task<Binding?> FindAsync(RequestTransaction tx, BindingKey key) => tx.FindAsync<Binding>(Find, Parameters(tx, key));

    // Edits of one binding follow one another. The runtime row, which leases contend for, is not touched.
    private const string FindForEdit = Find + " FOR NO KEY UPDATE OF b";

    public static Task<Binding?> FindForEditAsync(RequestTransaction tx, BindingKey key) => tx.FindAsync<Binding>(FindForEdit, Parameters(tx, key));

    private static object Parameters(RequestTransaction tx, BindingKey key) =>
        new { tenants = tx.Tenants, key.BindingId, key.Tenant, key.Environment, key.JobId };
}
