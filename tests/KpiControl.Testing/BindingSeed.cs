using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using Npgsql;

namespace KpiControl.Testing;

/// <summary>
/// Bindings put into a database directly, as the API would leave them: for tests of the scheduler, which read the
/// database only, and for many bindings at once.
/// </summary>
public sealed class BindingSeed(TestDatabase database)
{
    /// <summary>A job that runs each minute and waits for nothing; <c>{0}</c> are further top-level members.</summary>
    public static string Job(string jobId, string cron = "* * * * *", string schedule = "", string more = "") =>
        $"""
        job_id: {jobId}
        tenant: acme
        kpi_id: CFO-EF-02
        contract_version: 1.1.0
        schedule:
          type: cron
          expression: "{cron}"
          timezone: UTC
        {schedule}
        {more}
        """;

    /// <summary>Binds a job <paramref name="count"/> times (<c>job</c>, <c>job_2</c>, …), its cursor at <paramref name="nextRunAt"/> (SQL).</summary>
    /// <returns>The first binding's id; the others follow it.</returns>
    public async Task<long> BindAsync(string yaml, string nextRunAt = "date_trunc('minute', now())", int count = 1, string region = "eu", CancellationToken token = default)
    {
        var reading = ArtifactReader.Read(yaml, ArtifactFormat.Yaml);
        if (reading.Job is not { } job)
            throw new ArgumentException(string.Join('\n', reading.Findings.Select(f => $"{f.Line}: {f.Message}")), nameof(yaml));
        var contract = ContractReader.Read(await File.ReadAllTextAsync(Repository.File("samples", "contracts", "cfo-ef-02.yaml"), token), ArtifactFormat.Yaml);
        await using var connection = await database.OpenAsync(token);
        await using var command = new NpgsqlCommand(BindSql.Replace("{next_run_at}", nextRunAt, StringComparison.Ordinal), connection) { CommandTimeout = 600 };
        foreach (var value in new object[]
        {
            reading.ContentHash!, yaml, reading.CanonicalJson!, job.Tenant, region, job.JobId, job.KpiId, job.ContractVersion, job.Schedule.Expression, job.Schedule.Timezone,
            contract.Digest!, contract.CanonicalJson!, (short)job.Run.Priority, count, job.Dependencies.Gdp.ToArray(), job.Dependencies.Signals.ToArray(), job.Schedule.Overlap,
        })
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        return (long)(await command.ExecuteScalarAsync(token))!;
    }

    private const string BindSql =
        """
        WITH region AS (
          INSERT INTO kpi_tenant (tenant_id) VALUES ($4) ON CONFLICT DO NOTHING
        ), allowed AS (
          INSERT INTO kpi_tenant_region (tenant_id, region) VALUES ($4, $5) ON CONFLICT DO NOTHING
        ), contract AS (
          INSERT INTO kpi_contract (tenant_id, kpi_id, version, contract_id, digest, format, content, canonical_json, status, created_by)
          VALUES ($4, $7, $8, $7, $11, 'json', $12, $12, 'active', 'seed') ON CONFLICT DO NOTHING
        ), made_lanes AS (
          INSERT INTO kpi_lane (region, priority) VALUES ($5, $13), ($5, 6) ON CONFLICT DO NOTHING RETURNING lane, region, priority
        ), lane AS (
          SELECT lane FROM made_lanes WHERE region = $5 AND priority = $13 UNION SELECT lane FROM kpi_lane WHERE region = $5 AND priority = $13
        ), def AS (
          INSERT INTO kpi_job_def (content_hash, format, content, schema_version, tenant_id, canonical_json, created_by)
          VALUES ($1, 'yaml', $2, '1.0', $4, $3, 'seed')
          ON CONFLICT (content_hash) DO UPDATE SET format = excluded.format RETURNING def_id
        ), binding AS (
          INSERT INTO kpi_job_binding (def_id, tenant_id, environment, region, job_id, kpi_id, contract_version, schedule_cron, timezone, schedule_extra, created_by)
          SELECT def_id, $4, 'dev', $5, CASE WHEN i = 1 THEN $6 ELSE $6 || '_' || i END, $7, $8, $9, $10, jsonb_build_object('overlap', $17), 'seed' FROM def, generate_series(1, $14) AS i
          RETURNING binding_id, def_id
        ), revision AS (
          INSERT INTO kpi_binding_revision (binding_id, revision, tenant_id, def_id, contract_digest, schedule_cron, timezone, schedule_extra, active, zone_version, first_slot_after, changed_by)
          SELECT binding_id, 1, $4, def_id, $11, $9, $10, jsonb_build_object('overlap', $17), true, 'seed', {next_run_at} - interval '1 microsecond', 'seed' FROM binding
        ), gdp AS (
          INSERT INTO kpi_job_dependency (binding_id, dep_type, dep_value, tenant_id) SELECT binding_id, 'gdp', d, $4 FROM binding, unnest($15) AS d
        ), signals AS (
          INSERT INTO kpi_job_dependency (binding_id, dep_type, dep_value, tenant_id) SELECT binding_id, 'signal', d, $4 FROM binding, unnest($16) AS d
        ), runtime AS (
          INSERT INTO kpi_job_runtime (binding_id, next_run_at, lane, tenant_id) SELECT binding_id, {next_run_at}, lane, $4 FROM binding, lane
        ), told AS (
          SELECT pg_notify('kpi', 'lane ' || lane) FROM lane
        )
        SELECT min(binding_id) FROM binding, told
        """;
}
