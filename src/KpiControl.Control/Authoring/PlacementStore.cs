using KpiControl.Control.Requests;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Authoring;

/// <summary>A binding's rows: the binding, its revision, and what hangs off them.</summary>
internal static class PlacementStore
{
    private const string InsertBinding = """
        INSERT INTO kpi_job_binding (def_id, tenant_id, environment, region, job_id, kpi_id, contract_version, schedule_cron, timezone,
               scd_view, schedule_extra, raw_sha256, active_flag, created_by)
        VALUES (@DefId, @Tenant, @Environment, @Region, @JobId, @KpiId, @ContractVersion, @Cron, @Timezone, @ScdView, @Extra::jsonb, @RawSha256, @Active, @By)
        ON CONFLICT (tenant_id, environment, job_id) DO NOTHING
        RETURNING binding_id
        """;

    /// <returns>The new binding's id; null where the job is bound there already.</returns>
    public static Task<long?> InsertAsync(RequestTransaction tx, long defId, CheckedJob job, bool active) =>
        tx.FindAsync<long?>(InsertBinding, Facts(tx, defId, job) with { Active = active });

    private const string Rebind = """
        UPDATE kpi_job_binding SET def_id = @DefId, kpi_id = @KpiId, contract_version = @ContractVersion, schedule_cron = @Cron, timezone = @Timezone,
               scd_view = @ScdView, schedule_extra = @Extra::jsonb, raw_sha256 = @RawSha256, schedule_overridden = false,
               active_flag = active_flag OR @Active, revision = revision + 1
         WHERE binding_id = @BindingId AND revision = @Revision
        """;

    /// <returns>False where the binding is no longer at the revision seen.</returns>
    public static async Task<bool> RebindAsync(RequestTransaction tx, Binding binding, long defId, CheckedJob job, bool activate) =>
        await tx.ExecuteAsync(Rebind, Facts(tx, defId, job) with { BindingId = binding.BindingId, Revision = binding.Revision, Active = activate }) == 1;

    private const string Tweak = """
        UPDATE kpi_job_binding SET schedule_cron = @ScheduleCron, timezone = @Timezone, active_flag = @ActiveFlag,
               schedule_overridden = @ScheduleOverridden, revision = revision + 1
         WHERE binding_id = @BindingId AND revision = @Revision
        """;

    /// <returns>False where the binding is no longer at the revision of <paramref name="edited"/>.</returns>
    public static async Task<bool> TweakAsync(RequestTransaction tx, Binding edited) => await tx.ExecuteAsync(Tweak, edited) == 1;

    // What is in force stands in the binding; a revision is a copy of it that never changes.
    private const string Revise = """
        INSERT INTO kpi_binding_revision (binding_id, revision, tenant_id, def_id, contract_digest, schedule_cron, timezone, schedule_extra,
               active, zone_version, changed_by, reason)
        SELECT b.binding_id, b.revision, b.tenant_id, b.def_id, c.digest, b.schedule_cron, b.timezone, b.schedule_extra,
               b.active_flag, @zoneVersion, @by, @reason
          FROM kpi_job_binding b JOIN kpi_contract c ON c.tenant_id = b.tenant_id AND c.kpi_id = b.kpi_id AND c.version = b.contract_version
         WHERE b.binding_id = @bindingId
        """;

    public static async Task ReviseAsync(RequestTransaction tx, long bindingId, string zoneVersion, string reason)
    {
        if (await tx.ExecuteAsync(Revise, new { bindingId, zoneVersion, by = tx.Caller.Principal, reason }) != 1)
            throw new InvalidOperationException($"Binding {bindingId} has no contract to be revised under.");
    }

    private const string DropDependencies = """
        DELETE FROM kpi_job_dependency WHERE binding_id = @bindingId
        """;

    private const string AddDependencies = """
        INSERT INTO kpi_job_dependency (binding_id, dep_type, dep_value, tenant_id, max_age)
        SELECT @bindingId, x.dep_type, x.dep_value, @tenant, x.max_age FROM unnest(@types::text[], @names::text[], @ages::interval[]) AS x(dep_type, dep_value, max_age)
        """;

    // What an occurrence that waits no longer depends on must not hold it.
    private const string DropWaits = """
        DELETE FROM kpi_occurrence_wait w WHERE w.binding_id = @bindingId AND NOT EXISTS (
          SELECT FROM kpi_job_dependency d WHERE d.binding_id = w.binding_id AND d.dep_type = w.dep_type AND d.dep_value = w.dep_value)
        """;

    public static async Task ReplaceDependenciesAsync(RequestTransaction tx, long bindingId, JobArtifact job)
    {
        var rows = BoundJob.Dependencies(job).ToList();
        await tx.ExecuteAsync(DropDependencies, new { bindingId });
        await tx.ExecuteAsync(AddDependencies, new
        {
            bindingId, tenant = job.Tenant, types = rows.Select(d => d.DepType).ToArray(), names = rows.Select(d => d.DepValue).ToArray(),
            ages = rows.Select(d => d.MaxAge is { } age ? $"{(long)age.TotalSeconds} seconds" : null).ToArray(),
        });
        await tx.ExecuteAsync(DropWaits, new { bindingId });
    }

    private const string DropAlerts = """
        DELETE FROM kpi_job_alert WHERE binding_id = @bindingId
        """;

    private const string AddAlert = """
        INSERT INTO kpi_job_alert (binding_id, channel_type, channel_value, severity, tenant_id, events)
        VALUES (@bindingId, @type, @value, @severity, @tenant, @events) ON CONFLICT DO NOTHING
        """;

    // What is promised no longer is not broken any more.
    private const string DropClocks = """
        WITH dropped AS (
          DELETE FROM kpi_sla_clock WHERE binding_id = @bindingId AND clock <> ALL (@clocks) RETURNING binding_id, clock
        )
        UPDATE kpi_sla_episode e SET resolved_at = greatest(now(), e.opened_at), resolution = 'changed'
          FROM dropped d WHERE e.binding_id = d.binding_id AND e.clock = d.clock AND e.resolved_at IS NULL
        """;

    // Due at once: the sweep computes what it waits for, as it does after every change.
    private const string AddClocks = """
        INSERT INTO kpi_sla_clock (binding_id, clock, tenant_id, due_at) SELECT @bindingId, unnest(@clocks::text[]), @tenant, now()
        ON CONFLICT (binding_id, clock) DO NOTHING
        """;

    private const string Replan = """
        UPDATE kpi_sla_clock SET replan = true, due_at = now(), armed_at = CASE WHEN @activated THEN now() ELSE armed_at END WHERE binding_id = @bindingId
        """;

    /// <summary>Another schedule or another promise is in force, or none: the clocks are set anew.</summary>
    /// <param name="activated">It was not scheduled before: what it did not do then is no breach.</param>
    public static Task ReplanClocksAsync(RequestTransaction tx, long bindingId, bool activated) => tx.ExecuteAsync(Replan, new { bindingId, activated });

    /// <summary>Alert routes and SLA clocks.</summary>
    public static async Task ReplacePromisesAsync(RequestTransaction tx, long bindingId, JobArtifact job)
    {
        await tx.ExecuteAsync(DropAlerts, new { bindingId });
        foreach (var alert in job.Alerts)
            await tx.ExecuteAsync(AddAlert, new
            {
                bindingId, tenant = job.Tenant, type = alert.Channel.Split(':')[0], value = alert.Channel, severity = alert.Severity, events = alert.On.ToArray(),
            });
        var clocks = BoundJob.Clocks(job).ToArray();
        await tx.ExecuteAsync(DropClocks, new { bindingId, clocks });
        await tx.ExecuteAsync(AddClocks, new { bindingId, tenant = job.Tenant, clocks });
    }

    private static BindingFacts Facts(RequestTransaction tx, long defId, CheckedJob checkedJob)
    {
        var job = checkedJob.Job;
        return new BindingFacts
        {
            DefId = defId, Tenant = job.Tenant, Environment = checkedJob.Submission.Environment, Region = checkedJob.Region!, JobId = job.JobId,
            KpiId = job.KpiId, ContractVersion = job.ContractVersion, Cron = BoundJob.Cron(job), Timezone = job.Schedule.Timezone,
            ScdView = job.Runtime.ScdView, Extra = BoundJob.ScheduleExtra(job), By = tx.Caller.Principal,
            RawSha256 = ContentHash.Of(System.Text.Encoding.UTF8.GetBytes(checkedJob.Submission.Content)),
        };
    }

    private sealed record BindingFacts
    {
        public long BindingId { get; init; }
        public int Revision { get; init; }
        public bool Active { get; init; }
        public long DefId { get; init; }
        public required string Tenant { get; init; }
        public required string Environment { get; init; }
        public required string Region { get; init; }
        public required string JobId { get; init; }
        public required string KpiId { get; init; }
        public required string ContractVersion { get; init; }
        public required string Cron { get; init; }
        public required string Timezone { get; init; }
        public required string ScdView { get; init; }
        public required string Extra { get; init; }
        public required string RawSha256 { get; init; }
        public required string By { get; init; }
    }
}
