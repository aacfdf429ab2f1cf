using KpiControl.Control.Requests;

namespace KpiControl.Control.Authoring;

/// <summary>Finds bindings among those whose tenants exist for the caller.</summary>
internal static class BindingStore
{
    // Held first and read then, wherever a binding is to be changed: a row that another edit moved meanwhile is joined with what it
    // points to now, where FOR UPDATE over the join would keep what it pointed to before.
    private const string Hold = "SELECT b.binding_id FROM kpi_job_binding b\n";

    private const string Columns = """
        SELECT b.binding_id, b.def_id, b.tenant_id, b.environment, b.region, b.job_id, b.kpi_id, b.contract_version, b.schedule_cron,
               b.timezone, b.active_flag, b.scd_view, b.schedule_extra::text AS schedule_extra, b.revision, b.schedule_overridden, d.content_hash,
               b.source, b.pruned_at, b.calendar, b.calendar_version, k.canonical_json AS calendar_json, b.overrides::text AS overrides_json
          FROM kpi_job_binding b JOIN kpi_job_def d USING (def_id)
          LEFT JOIN kpi_calendar k ON k.tenant_id = b.tenant_id AND k.name = b.calendar AND k.version = b.calendar_version

        """;

    private const string One = """
         WHERE (@tenants::text[] IS NULL OR b.tenant_id = ANY (@tenants))
           AND (@BindingId::bigint = 0 OR b.binding_id = @BindingId)
           AND (@Tenant::text = '' OR b.tenant_id = @Tenant)
           AND (@Environment::text = '' OR b.environment = @Environment)
           AND (@JobId::text = '' OR b.job_id = @JobId)
        """;

    private const string Find = Columns + One;

    public static Task<Binding?> FindAsync(RequestTransaction tx, BindingKey key) => tx.FindAsync<Binding>(Find, Parameters(tx, key));

    // Edits of one binding follow one another. The runtime row, which leases contend for, is not touched.
    private const string HoldOne = Hold + One + " FOR NO KEY UPDATE";

    /// <summary>Held for the transaction.</summary>
    public static async Task<Binding?> FindForEditAsync(RequestTransaction tx, BindingKey key) =>
        await tx.FindAsync<long?>(HoldOne, Parameters(tx, key)) is null ? null : await FindAsync(tx, key);

    private const string Many = """
         WHERE (@tenants::text[] IS NULL OR b.tenant_id = ANY (@tenants)) AND b.tenant_id = @tenant AND b.environment = @environment AND b.job_id = ANY (@jobIds)
         ORDER BY b.binding_id
        """;

    private const string Of = Columns + Many;

    // In one order, so that two that edit many do not wait for each other.
    private const string HoldMany = Hold + Many + " FOR NO KEY UPDATE";

    /// <param name="forEdit">They are held for the transaction.</param>
    public static async Task<IReadOnlyList<Binding>> OfAsync(RequestTransaction tx, string tenant, string environment, string[] jobIds, bool forEdit)
    {
        var query = new { tenants = tx.Tenants, tenant, environment, jobIds };
        if (forEdit)
            await tx.QueryAsync<long>(HoldMany, query);
        return await tx.QueryAsync<Binding>(Of, query);
    }

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
