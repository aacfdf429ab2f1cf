using KpiControl.Cli.Tests.Support;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Microsoft.Extensions.Time.Testing;

namespace KpiControl.Cli.Tests;

public sealed class AuthoringTests(ScriptedControlPlane server) : IClassFixture<ScriptedControlPlane>
{
    private static readonly string ContractFile = Repository.File("samples", "contracts", "cfo-ef-02.yaml");

    [Fact]
    public async Task Init_makes_a_valid_artifact_from_a_contracts_file_without_a_control_plane()
    {
        using var kpictl = new CommandLine();
        var file = Path.Combine(kpictl.Home, "job.yaml");

        var made = await kpictl.Run("init", "--template", "daily-kpi", "--contract", "CFO-EF-02@1.1.0", "--contract-file", ContractFile, "--tenant", "acme", "--out", file);
        var again = await kpictl.Run("init", "--contract-file", ContractFile, "--tenant", "acme", "--out", file);

        Assert.Equal((0, ""), (made.Exit, made.Out));
        Assert.Equal(0, (await kpictl.Run("validate", file)).Exit);
        Assert.StartsWith("# yaml-language-server: $schema=./kpi-job-1.0.json\n", await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal(KpiControl.Jobs.Artifacts.JobSchema.Text, await File.ReadAllTextAsync(Path.Combine(kpictl.Home, "kpi-job-1.0.json"), TestContext.Current.CancellationToken));
        Assert.Equal("1 file: 0 errors, 0 warnings\n", (await kpictl.Run("validate", kpictl.Home)).Error);
        Assert.Contains("kpi_id: ", await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal(1, again.Exit);
        Assert.Contains("it exists", again.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Init_asks_the_control_plane_for_the_contract_and_the_target_for_the_tenant()
    {
        server.Script.When<GetContractRequest>(_ => new Contract { KpiId = "CFO-EF-02", Version = "1.1.0", Format = "yaml", Content = File.ReadAllText(ContractFile) });
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("init", "--template", "daily-kpi", "--contract", "CFO-EF-02@1.1.0");

        Assert.Equal((0, ""), (result.Exit, result.Error));
        Assert.Contains("tenant: acme\n", result.Out, StringComparison.Ordinal);
        kpictl.With("KPI_REST", "http://127.0.0.1:5002");
        Assert.StartsWith("# yaml-language-server: $schema=http://127.0.0.1:5002/schemas/kpi-job/1.0.json\n", (await kpictl.Run("init", "--contract", "CFO-EF-02@1.1.0")).Out, StringComparison.Ordinal);
        Assert.StartsWith("# yaml-language-server: $schema=../s.json\n", (await kpictl.Run("init", "--contract", "CFO-EF-02@1.1.0", "--schema", "../s.json")).Out, StringComparison.Ordinal);
        Assert.Equal("CFO-EF-02", server.Script.Last<GetContractRequest>().KpiId);
    }

    [Fact]
    public async Task Init_asks_on_a_terminal_for_what_no_option_says()
    {
        server.Script.When<GetContractRequest>(_ => new Contract { KpiId = "CFO-EF-02", Version = "1.1.0", Format = "yaml", Content = File.ReadAllText(ContractFile) });
        // Template, contract (once not answered), then the parameters that --set leaves open, and the filter.
        using var kpictl = new CommandLine(server) { Typed = "period-close\n\nCFO-EF-02@1.1.0\n\n0 7 4 * *\n\n\n6\n\nactual\n" };

        var result = await kpictl.Run("init", "--set", "channel=email:close@acme.example");

        Assert.True(result.Exit == 0, result.Error);
        Assert.Contains("job_id (Name of the job within its tenant) [cfo_ef_02_close]: ", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("channel (", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("tenant (", result.Error, StringComparison.Ordinal);
        var job = KpiControl.Jobs.Artifacts.ArtifactReader.Read(result.Out, KpiControl.Jobs.Artifacts.ArtifactFormat.Yaml).Job!;
        Assert.Equal(("cfo_ef_02_close", "acme", "0 7 4 * *", "email:close@acme.example"), (job.JobId, job.Tenant, job.Schedule.Expression, job.Alerts[0].Channel));
        Assert.Equal("actual", Assert.Single(job.Runtime.Filters).Value!.GetValue<string>());
        Assert.Contains("last_n: 6", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Init_does_not_ask_where_the_contract_is_named_or_nobody_can_answer()
    {
        using var there = new CommandLine { Typed = "" };
        using var away = new CommandLine();

        Assert.Equal(0, (await there.Run("init", "--contract-file", ContractFile, "--tenant", "acme")).Exit);
        Assert.Contains("template was not answered", (await there.Run("init")).Error, StringComparison.Ordinal);
        Assert.Contains("job_id was not answered", (await there.Run("init", "-i", "--template", "daily-kpi", "--contract-file", ContractFile, "--tenant", "acme")).Error, StringComparison.Ordinal);
        Assert.Contains("there is no terminal to ask on", (await away.Run("init", "-i", "--contract-file", ContractFile)).Error, StringComparison.Ordinal);
        Assert.Contains("of which contract?", (await away.Run("init")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Init_says_what_is_missing_or_unknown()
    {
        using var kpictl = new CommandLine();

        var missing = await kpictl.Run("init", "--contract-file", ContractFile);
        var unknown = await kpictl.Run("init", "--template", "hourly", "--contract-file", ContractFile);

        Assert.Equal((1, 2), (missing.Exit, unknown.Exit));
        Assert.Contains("tenant", missing.Error, StringComparison.Ordinal);
        Assert.Contains("it is one of: ", unknown.Error, StringComparison.Ordinal);
        Assert.Contains("daily-kpi: ", (await kpictl.Run("init", "--list")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cycle_within_the_files_given_is_found_in_each_of_its_files_and_in_no_other()
    {
        using var kpictl = new CommandLine();
        kpictl.File("jobs/a.yaml", OfKpi("A-1", "B-1"));
        kpictl.File("jobs/b.yaml", OfKpi("B-1", "A-1"));
        kpictl.File("jobs/c.yaml", OfKpi("C-1", "A-1"));
        kpictl.File("jobs/d.yaml", OfKpi("A-1", "E-1").Replace("job_id: a-1", "job_id: another", StringComparison.Ordinal));
        kpictl.File("jobs/f.yaml", OfKpi("B-1", "A-1").Replace("acme", "globex", StringComparison.Ordinal));

        var result = await kpictl.Run("validate", Path.Combine(kpictl.Home, "jobs"));

        Assert.Equal(1, result.Exit);
        Assert.Matches(@"(?m)^\S+a\.yaml:\d+:\d+: error graph\.cycle: ", result.Out);
        Assert.Matches(@"(?m)^\S+b\.yaml:\d+:\d+: error graph\.cycle: .*B-1@1\.1\.0 → A-1@1\.1\.0 → B-1@1\.1\.0", result.Out);
        // One that waits for the cycle, another job of a KPI on it that does not close it, and another tenant's.
        Assert.DoesNotMatch(@"(?m)^\S+[cdf]\.yaml:.*graph\.cycle", result.Out);
        Assert.Matches(@"(?m)^\S+d\.yaml:\d+:\d+: warning graph\.unknown_kpi: None of the files given computes E-1@1\.1\.0", result.Out);
    }

    [Fact]
    public async Task A_directory_is_taken_without_what_is_below_it_unless_asked_for()
    {
        using var kpictl = new CommandLine();
        kpictl.File("jobs/a.yaml", OfflineTests.Artifact);
        kpictl.File("jobs/failing/b.yaml", "job_id: 1\n");

        Assert.Equal(0, (await kpictl.Run("validate", Path.Combine(kpictl.Home, "jobs"))).Exit);
        Assert.Equal(1, (await kpictl.Run("validate", "-R", Path.Combine(kpictl.Home, "jobs"))).Exit);
    }

    [Fact]
    public async Task Preview_of_a_cron_needs_no_control_plane_and_knows_clock_changes()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.Parse("2026-03-27T12:00:00Z", System.Globalization.CultureInfo.InvariantCulture));
        using var kpictl = new CommandLine { Clock = clock };

        var result = await kpictl.Run("preview", "--cron", "30 2 * * *", "--timezone", "Europe/Berlin", "--count", "3");

        Assert.Equal(0, result.Exit);
        Assert.Matches(@"(?m)^2026-03-28 01:30:00Z +2026-03-28T02:30:00\+01:00 +2026-03-27 ", result.Out);
        // 02:30 does not exist on the 29th: the first instant that does.
        Assert.Matches(@"(?m)^2026-03-29 01:00:00Z +2026-03-29T03:00:00\+02:00 +2026-03-28 ", result.Out);
        Assert.Equal(2, (await kpictl.Run("preview", "--cron", "61 * * * *")).Exit);
        Assert.Equal(2, (await kpictl.Run("preview")).Exit);
    }

    [Fact]
    public async Task Preview_of_a_job_asks_the_control_plane()
    {
        server.Script.When<PreviewScheduleRequest>(_ => new PreviewScheduleResponse
        { FireTimes = { new FireTime { At = Wire.At("2026-01-03T02:00:00Z"), Local = "2026-01-03T02:00:00+00:00", BusinessDate = "2026-01-02" } } });
        server.Script.When<GetJobRequest>(_ => Wire.Job());
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("preview", "dso_daily", "-n", "1");

        Assert.Matches(@"(?m)^2026-01-03 02:00:00Z +2026-01-03T02:00:00\+00:00 +2026-01-02 ", result.Out);
        Assert.Equal(("dso_daily", 1), (server.Script.Last<PreviewScheduleRequest>().JobId, server.Script.Last<PreviewScheduleRequest>().Count));
    }

    private static string OfKpi(string kpi, string upstream) => OfflineTests.Artifact
        .Replace("CFO-EF-02", kpi, StringComparison.Ordinal).Replace("dso_daily", kpi.ToLowerInvariant(), StringComparison.Ordinal)
        + $"\ndependencies:\n  kpis: [{{ kpi_id: {upstream}, contract_version: 1.1.0 }}]\n";
}
