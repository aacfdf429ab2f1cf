using System.Diagnostics;
using System.Globalization;
using Dapper;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Bench;

/// <summary>kpictl's plan and apply of a directory, as processes of their own, and passes over a store, against a control plane that holds many bindings.</summary>
internal static class GovernanceBench
{
    private const double PlanSeconds = 5, ApplySeconds = 10;

    // Of artifacts in the store, each of as many as a plan has.
    private const int Sets = 10;

    public static async Task<int> RunAsync(int bindings, int jobs)
    {
        Console.WriteLine($"governance: a directory of {jobs:N0} jobs, a control plane with {bindings:N0} bindings; load before: {await LoadAsync()}");
        await PostgresFixture.StartServerAsync("fsync = on", "synchronous_commit = on");
        await using var database = await PostgresFixture.CreateDatabaseAsync();
        await using var issuer = await TestIssuer.StartAsync();
        var (directory, store) = (Directory.CreateTempSubdirectory("kpi-bench-jobs-"), Directory.CreateTempSubdirectory("kpi-bench-store-"));
        try
        {
            await using var control = await ControlProcess.StartAsync(database, issuer, DriftBench.Settings(store.FullName));
            await SeedAsync(database, bindings);
            var kpictl = new KpictlProcess(control.GrpcUrl, issuer.Token(), directory.FullName);
            var met = true;
            // A control plane that runs has compiled its code; kpictl begins anew each time.
            await WriteAsync(directory.FullName, jobs, "0 1 * * *");
            await kpictl.SecondsAsync("plan", directory.FullName, "-o", "json");
            foreach (var (what, cron) in new[] { ("all new", "0 2 * * *"), ("all changed", "30 3 * * *"), ("all as they are", "30 3 * * *") })
            {
                await WriteAsync(directory.FullName, jobs, cron);
                met &= Tell($"plan, {what}", await kpictl.SecondsAsync("plan", directory.FullName, "-o", "json"), PlanSeconds);
                met &= Tell($"apply, {what}", await kpictl.SecondsAsync("apply", directory.FullName), ApplySeconds);
            }
            for (var i = 0; i < Sets; i++)
            {
                var set = store.CreateSubdirectory($"set_{i}").FullName;
                await WriteAsync(set, jobs, "0 4 * * *", $"stored_{i}");
                await kpictl.SecondsAsync("apply", set);
            }
            met &= await DriftBench.RunAsync(database, kpictl, (Path.Combine(store.FullName, "set_0", "stored_0_0.yaml"), Artifact("stored_0_0", "0 5 * * *")));
            var applied = directory.CreateSubdirectory("applied").FullName;
            await WriteAsync(applied, jobs, "30 5 * * *", "stored_1");
            met &= Tell("apply, all are written", await kpictl.SecondsAsync("apply", applied), ApplySeconds);
            await DriftBench.WrittenAsync(database);
            Console.WriteLine($"load after: {await LoadAsync()}");
            return met ? 0 : 1;
        }
        finally
        {
            directory.Delete(recursive: true);
            store.Delete(recursive: true);
        }
    }

    private static bool Tell(string what, double seconds, double target)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what,-24} {seconds,6:0.00} s (target {target} s{(seconds <= target ? "" : ": missed")})"));
        return seconds <= target;
    }

    // A forest of KPIs that wait for each other, so that the graph is not for nothing.
    private static async Task SeedAsync(TestDatabase database, int bindings)
    {
        await new BindingSeed(database).BindAsync(BindingSeed.Job("bench", "0 * * * *"), "now() + interval '1 day'", bindings);
        await using var connection = new NpgsqlConnection(database.Superuser);
        await connection.OpenAsync();
        foreach (var sql in new[]
        {
            "UPDATE kpi_job_binding SET kpi_id = 'K-' || binding_id % 5000",
            "INSERT INTO kpi_job_dependency (binding_id, dep_type, dep_value, tenant_id) SELECT binding_id, 'kpi', 'K-' || (binding_id % 5000) / 2 || '@1.1.0', tenant_id FROM kpi_job_binding WHERE binding_id % 5000 > 0",
            "VACUUM ANALYZE kpi_job_binding, kpi_job_dependency, kpi_job_runtime, kpi_binding_revision, kpi_job_def",
        })
            await connection.ExecuteAsync(new CommandDefinition(sql, commandTimeout: 600));
    }

    private static async Task WriteAsync(string directory, int jobs, string cron, string name = "job")
    {
        for (var i = 0; i < jobs; i++)
            await File.WriteAllTextAsync(Path.Combine(directory, $"{name}_{i}.yaml"), Artifact($"{name}_{i}", cron));
    }

    private static string Artifact(string jobId, string cron) => $$"""
        job_id: {{jobId}}
        tenant: acme
        kpi_id: CFO-EF-02
        contract_version: 1.1.0
        schedule: { type: cron, expression: "{{cron}}", timezone: Europe/Berlin }
        dependencies: { gdp: [GDP_Receivables, GDP_Sales], signals: [erp_eod_sync] }
        sla: { freshness: 24h }
        retry: { max_retries: 3 }
        alerts: [ { channel: "slack:#kpi-alerts", severity: high } ]
        """;

    private static async Task<string> LoadAsync() => (await File.ReadAllTextAsync("/proc/loadavg")).Split(' ')[0];
}
