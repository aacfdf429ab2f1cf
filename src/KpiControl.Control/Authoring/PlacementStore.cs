using KpiControl.Control.Requests;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Authoring;

/// <summary>A binding's rows: the binding, its revision, and what hangs off them.</summary>
internal static class PlacementStore
{
    private const string Facts = "def_id bigint, binding_id bigint, revision int, active boolean, tenant text, environment text, region text, job_id text, kpi_id text, contract_version text, cron text, timezone text, scd_view text, extra text, raw_sha256 text, source text, calendar text, calendar_version int";

    private const string InsertBinding = $"""
        INSERT INTO kpi_job_binding (def_id, tenant_id, environment, region, job_id, kpi_id, contract_version, schedule_cron, timezone,
               scd_view, schedule_extra, raw_sha256, active_flag, created_by, source, calendar, calendar_version)
        SELECT x.def_id, x.tenant, x.environment, x.region, x.job_id, x.kpi_id, x.contract_version, x.cron, x.timezone, x.scd_view, x.extra::jsonb, x.raw_sha256, x.active, @by, x.source, x.calendar, x.calendar_version
          FROM jsonb_to_recordset(@rows::jsonb) AS x({Facts})
         ORDER BY x.job_id
        ON CONFLICT (tenant_id, environment, job_id) DO NOTHING
        RETURNING binding_id, job_id
        """;

    /// <returns>The new bindings' ids by job; those that are bound there already are missing.</returns>
    /// <param name="source">Who applies them; empty: nobody in particular.</param>
    public static async Task<IReadOnlyDictionary<string, long>> InsertAsync(RequestTransaction tx, IReadOnlyDictionary<string, long> defIds, IReadOnlyList<CheckedJob> jobs, bool active, string source = "") =>
        (await tx.QueryAsync<NewBindingRow>(InsertBinding, new
        {
            rows = Rows.Json([.. jobs.Select(job => FactsOf(defIds, job) with { Active = active, Source = source.Length > 0 ? source : null })]), by = tx.Caller.Principal,
        })).ToDictionary(row => row.JobId, row => row.BindingId);

    private const string Rebind = $"""
        UPDATE kpi_job_binding b SET def_id = x.def_id, kpi_id = x.kpi_id, contract_version = x.contract_version, schedule_cron = x.cron, timezone = x.timezone,
               scd_view = x.scd_view, schedule_extra = x.extra::jsonb, raw_sha256 = x.raw_sha256, schedule_overridden = false, calendar = x.calendar, calendar_version = x.calendar_version,
               active_flag = b.active_flag OR x.active, pruned_at = CASE WHEN x.active THEN NULL ELSE b.pruned_at END, revision = b.revision + 1
          FROM jsonb_to_recordset(@rows::jsonb) AS x({Facts})
         WHERE b.binding_id = x.binding_id AND b.revision = x.revision
        """;

    /// <returns>False where a binding is no longer at the revision seen.</returns>
    public static async Task<bool> RebindAsync(RequestTransaction tx, IReadOnlyDictionary<string, long> defIds, IReadOnlyList<JobToRebind> jobs) =>
        await tx.ExecuteAsync(Rebind, new
        {
            rows = Rows.Json([.. jobs.Select(job => FactsOf(defIds, job.Job) with { BindingId = job.Binding.BindingId, Revision = job.Binding.Revision, Active = job.How.Activate })]),
        }) == jobs.Count;

    private const string Retire = """
        UPDATE kpi_job_binding b SET active_flag = false, pruned_at = now(), revision = b.revision + 1
          FROM unnest(@ids::bigint[], @revisions::int[]) AS x(binding_id, revision)
         WHERE b.binding_id = x.binding_id AND b.revision = x.revision AND b.active_flag
        """;

    /// <returns>False where a binding is no longer at the revision seen.</returns>
    public static async Task<bool> RetireAsync(RequestTransaction tx, IReadOnlyList<Binding> bindings) => await tx.ExecuteAsync(Retire, new
    {
        ids = bindings.Select(binding => binding.BindingId).ToArray(), revisions = bindings.Select(binding => binding.Revision).ToArray(),
    }) == bindings.Count;

    private const string Own = """
        UPDATE kpi_job_binding SET source = @source WHERE binding_id = ANY (@ids) AND source IS DISTINCT FROM @source
        """;

    /// <summary>Writes down who applied bindings.</summary>
    public static Task OwnAsync(RequestTransaction tx, long[] ids, string source) => tx.ExecuteAsync(Own, new { ids, source });

    private const string Tweak = """
        UPDATE kpi_job_binding SET schedule_cron = @ScheduleCron, timezone = @Timezone, active_flag = @ActiveFlag, pruned_at = CASE WHEN @ActiveFlag THEN NULL ELSE pruned_at END,
               schedule_overridden = @ScheduleOverridden, calendar_version = @CalendarVersion, revision = revision + 1
         WHERE binding_id = @BindingId AND revision = @Revision
        """;

    /// <returns>False where the binding is no longer at the revision of <paramref name="edited"/>.</returns>
    public static async Task<bool> TweakAsync(RequestTransaction tx, Binding edited) => await tx.ExecuteAsync(Tweak, edited) == 1;

    private const string Repin = """
        UPDATE kpi_job_binding b SET calendar_version = @version, revision = b.revision + 1
          FROM unnest(@ids::bigint[], @revisions::int[]) AS x(binding_id, revision)
         WHERE b.binding_id = x.binding_id AND b.revision = x.revision
        """;

    /// <summary>Another version of their calendar.</summary>
    /// <returns>False where a binding is no longer at the revision seen.</returns>
    public static async Task<bool> RepinAsync(RequestTransaction tx, IReadOnlyList<Binding> bindings, int version) => await tx.ExecuteAsync(Repin, new
    {
        version, ids = bindings.Select(binding => binding.BindingId).ToArray(), revisions = bindings.Select(binding => binding.Revision).ToArray(),
    }) == bindings.Count;

    // What is in force stands in the binding; a revision is a copy of it that never changes.
    private const string Revise = """
        INSERT INTO kpi_binding_revision (binding_id, revision, tenant_id, def_id, contract_digest, schedule_cron, timezone, schedule_extra,
               active, zone_version, changed_by, reason, calendar, calendar_version, overrides, first_slot_after)
        SELECT b.binding_id, b.revision, b.tenant_id, b.def_id, c.digest, b.schedule_cron, b.timezone, b.schedule_extra,
               b.active_flag, x.zone_version, @by, x.reason, b.calendar, b.calendar_version, b.overrides, COALESCE(x.first_slot_after, now())
          FROM jsonb_to_recordset(@rows::jsonb) AS x(binding_id bigint, zone_version text, reason text, first_slot_after timestamptz) JOIN kpi_job_binding b USING (binding_id)
          JOIN kpi_contract c ON c.tenant_id = b.tenant_id AND c.kpi_id = b.kpi_id AND c.version = b.contract_version
        """;

    public static async Task ReviseAsync(RequestTransaction tx, IReadOnlyList<NewRevision> revisions)
    {
        if (await tx.ExecuteAsync(Revise, new { rows = Rows.Json(revisions), by = tx.Caller.Principal }) != revisions.Count)
            throw new InvalidOperationException("A binding has no contract to be revised under.");
    }

    private const string DropDependencies = """
        DELETE FROM kpi_job_dependency WHERE binding_id = ANY (@ids)
        """;

    private const string AddDependencies = """
        INSERT INTO kpi_job_dependency (binding_id, dep_type, dep_value, tenant_id, max_age)
        SELECT x.binding_id, x.type, x.value, x.tenant, x.max_age
          FROM jsonb_to_recordset(@rows::jsonb) AS x(binding_id bigint, type text, value text, tenant text, max_age interval)
        """;

    // What an occurrence that waits no longer depends on must not hold it.
    private const string DropWaits = """
        DELETE FROM kpi_occurrence_wait w WHERE w.binding_id = ANY (@ids) AND NOT EXISTS (
          SELECT FROM kpi_job_dependency d WHERE d.binding_id = w.binding_id AND d.dep_type = w.dep_type AND d.dep_value = w.dep_value)
        """;

    public static async Task ReplaceDependenciesAsync(RequestTransaction tx, IReadOnlyList<BoundArtifact> jobs)
    {
        var ids = jobs.Select(job => job.BindingId).ToArray();
        await tx.ExecuteAsync(DropDependencies, new { ids });
        await tx.ExecuteAsync(AddDependencies, new
        {
            rows = Rows.Json([.. jobs.SelectMany(job => BoundJob.Dependencies(job.Job).Select(d => new
            {
                job.BindingId, Type = d.DepType, Value = d.DepValue, job.Job.Tenant, MaxAge = d.MaxAge is { } age ? $"{(long)age.TotalSeconds} seconds" : null,
            }))]),
        });
        await tx.ExecuteAsync(DropWaits, new { ids });
    }

    private const string DropAlerts = """
        DELETE FROM kpi_job_alert WHERE binding_id = ANY (@ids)
        """;

    private const string AddAlerts = """
        INSERT INTO kpi_job_alert (binding_id, channel_type, channel_value, severity, tenant_id, events)
        SELECT x.binding_id, x.type, x.value, x.severity, x.tenant, x.events
          FROM jsonb_to_recordset(@rows::jsonb) AS x(binding_id bigint, type text, value text, severity text, tenant text, events text[])
        ON CONFLICT DO NOTHING
        """;

    // What is promised no longer is not broken any more.
    private const string DropClocks = """
        WITH dropped AS (
          DELETE FROM kpi_sla_clock c WHERE c.binding_id = ANY (@ids) AND NOT EXISTS (
            SELECT FROM jsonb_to_recordset(@rows::jsonb) AS x(binding_id bigint, clock text) WHERE x.binding_id = c.binding_id AND x.clock = c.clock)
          RETURNING binding_id, clock
        )
        UPDATE kpi_sla_episode e SET resolved_at = greatest(now(), e.opened_at), resolution = 'changed'
          FROM dropped d WHERE e.binding_id = d.binding_id AND e.clock = d.clock AND e.resolved_at IS NULL
        """;

    // Due at once: the sweep computes what it waits for, as it does after every change.
    private const string AddClocks = """
        INSERT INTO kpi_sla_clock (binding_id, clock, tenant_id, due_at)
        SELECT x.binding_id, x.clock, x.tenant, now() FROM jsonb_to_recordset(@rows::jsonb) AS x(binding_id bigint, clock text, tenant text)
        ON CONFLICT (binding_id, clock) DO NOTHING
        """;

    private const string Replan = """
        UPDATE kpi_sla_clock SET replan = true, due_at = now(), armed_at = CASE WHEN binding_id = ANY (@activated) THEN now() ELSE armed_at END WHERE binding_id = ANY (@ids)
        """;

    /// <summary>Other schedules or other promises are in force, or none: the clocks are set anew.</summary>
    /// <param name="activated">Those that were not scheduled before: what they did not do then is no breach.</param>
    public static Task ReplanClocksAsync(RequestTransaction tx, long[] ids, long[] activated) => tx.ExecuteAsync(Replan, new { ids, activated });

    /// <summary>Alert routes and SLA clocks.</summary>
    public static async Task ReplacePromisesAsync(RequestTransaction tx, IReadOnlyList<BoundArtifact> jobs)
    {
        var ids = jobs.Select(job => job.BindingId).ToArray();
        await tx.ExecuteAsync(DropAlerts, new { ids });
        await tx.ExecuteAsync(AddAlerts, new
        {
            rows = Rows.Json([.. jobs.SelectMany(job => job.Job.Alerts.Select(alert => new
            {
                job.BindingId, Type = alert.Channel.Split(':')[0], Value = alert.Channel, alert.Severity, job.Job.Tenant, Events = alert.On,
            }))]),
        });
        var rows = Rows.Json([.. jobs.SelectMany(job => BoundJob.Clocks(job.Job).Select(clock => new { job.BindingId, Clock = clock, job.Job.Tenant }))]);
        await tx.ExecuteAsync(DropClocks, new { ids, rows });
        await tx.ExecuteAsync(AddClocks, new { rows });
    }

    private static BindingFacts FactsOf(IReadOnlyDictionary<string, long> defIds, CheckedJob checkedJob)
    {
        var job = checkedJob.Job;
        return new BindingFacts
        {
            DefId = defIds[checkedJob.Reading.ContentHash!], Tenant = job.Tenant, Environment = checkedJob.Submission.Environment, Region = checkedJob.Region!, JobId = job.JobId,
            KpiId = job.KpiId, ContractVersion = job.ContractVersion, Cron = BoundJob.Cron(job), Timezone = job.Schedule.Timezone,
            ScdView = job.Runtime.ScdView, Extra = BoundJob.ScheduleExtra(job), Calendar = checkedJob.Calendar?.Name, CalendarVersion = checkedJob.Calendar?.Version,
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
        public string? Source { get; init; }
        public string? Calendar { get; init; }
        public int? CalendarVersion { get; init; }
    }

    private sealed record NewBindingRow
    {
        public long BindingId { get; init; }
        public required string JobId { get; init; }
    }
}

/// <summary>A binding's next revision, of what stands in the binding.</summary>
/// <param name="FirstSlotAfter">Slots up to it are the revision's before; null: this is the first one.</param>
internal sealed record NewRevision(long BindingId, string ZoneVersion, string Reason, DateTimeOffset? FirstSlotAfter = null);

internal sealed record BoundArtifact(long BindingId, JobArtifact Job);
