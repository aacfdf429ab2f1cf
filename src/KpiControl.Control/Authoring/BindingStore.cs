using KpiControl.Control.Requests;

namespace KpiControl.Control.Authoring;

/// <summary>Finds bindings among those whose tenants exist for the caller.</summary>
internal static class BindingStore
{
    private const string Columns = """
        SELECT b.binding_id, b.def_id, b.tenant_id, b.environment, b.region, b.job_id, b.kpi_id, b.contract_version, b.schedule_cron,
               b.timezone, b.active_flag, b.scd_view, b.schedule_extra::text AS schedule_extra, b.revision, b.schedule_overridden, d.content_hash,
               b.source, b.pruned_at
          FROM kpi_job_binding b JOIN kpi_job_def d USING (def_id)

        """;

    private const string Find = Columns + """
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

    private const string Of = Columns + """
         WHERE (@tenants::text[] IS NULL OR b.tenant_id = ANY (@tenants)) AND b.tenant_id = @tenant AND b.environment = @environment AND b.job_id = ANY (@jobIds)
         ORDER BY b.binding_id
        """;

    // In one order, so that two that edit many do not wait for each other.
    private const string OfForEdit = Of + " FOR NO KEY UPDATE OF b";

    /// <param name="forEdit">They are held for the transaction.</param>
    public static Task<IReadOnlyList<Binding>> OfAsync(RequestTransaction tx, string tenant, string environment, string[] jobIds, bool forEdit) =>
        tx.QueryAsync<Binding>(forEdit ? OfForEdit : Of, new { tenants = tx.Tenants, tenant, environment, jobIds });

    private const string OfSource = """
        SELECT b.job_id FROM kpi_job_binding b JOIN kpi_job_runtime rt USING (binding_id)
         WHERE (@tenants::text[] IS NULL OR b.tenant_id = ANY (@tenants)) AND b.tenant_id = @tenant AND b.environment = @environment AND b.source = @source
           AND b.job_id <> ALL (@except) AND b.active_flag AND NOT (@running AND COALESCE(rt.paused_until > now(), false))
         ORDER BY b.job_id
        """;

    /// <summary>Jobs that are scheduled and that a source applied, but for some.</summary>
    /// <param name="running">Without those that are paused.</param>
    public static Task<IReadOnlyList<string>> OfSourceAsync(RequestTransaction tx, string tenant, string environment, string source, string[] except, bool running) =>
        tx.QueryAsync<string>(OfSource, new { tenants = tx.Tenants, tenant, environment, source, except, running });

    private static object Parameters(RequestTransaction tx, BindingKey key) =>
        new { tenants = tx.Tenants, key.BindingId, key.Tenant, key.Environment, key.JobId };
}
