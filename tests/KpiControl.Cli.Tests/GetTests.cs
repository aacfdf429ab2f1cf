using System.Text.Json;
using Grpc.Core;
using KpiControl.Cli.Tests.Support;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Time.Testing;

namespace KpiControl.Cli.Tests;

public sealed class GetTests(ScriptedControlPlane server) : IClassFixture<ScriptedControlPlane>
{
    private static readonly FakeTimeProvider Clock = new(DateTimeOffset.Parse("2026-01-02T05:00:05Z", System.Globalization.CultureInfo.InvariantCulture));

    [Fact]
    public async Task A_list_shows_the_audit_surface_in_aligned_columns()
    {
        server.Script.When<ListJobsRequest>(_ => new ListJobsResponse { Jobs = { Wire.Job(), Wire.Job("revenue_month_company", 8) } });
        using var kpictl = new CommandLine(server) { Clock = Clock };

        var result = await kpictl.Run("get");

        Assert.Equal(0, result.Exit);
        Assert.Empty(result.Error);
        var lines = result.Out.Split('\n');
        foreach (var heading in new[] { "JOB", "KPI_ID", "CONTRACT_VERSION", "CONTENT_HASH", "SCHEDULE_CRON", "LAST_RUN", "NEXT_RUN" })
            Assert.Contains(heading, lines[0], StringComparison.Ordinal);
        Assert.Equal(lines[0].IndexOf("KPI_ID", StringComparison.Ordinal), lines[1].IndexOf("CFO-EF-02", StringComparison.Ordinal));
        Assert.Equal(lines[0].IndexOf("KPI_ID", StringComparison.Ordinal), lines[2].IndexOf("CFO-EF-02", StringComparison.Ordinal));
        Assert.Contains("3h ago success", lines[1], StringComparison.Ordinal);
        Assert.Contains("in 20h", lines[1], StringComparison.Ordinal);
        Assert.Contains("0 2 * * *", lines[1], StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', result.Out);
    }

    [Fact]
    public async Task A_paused_job_has_no_next_run_before_its_pause_ends_and_an_override_is_shown_as_it_was_written()
    {
        var job = Wire.Job();
        server.Script.When<ListJobsRequest>(_ => new ListJobsResponse { Jobs = { job } });
        server.Script.When<GetJobRequest>(_ => job);
        server.Script.When<ListRunsRequest>(_ => new ListRunsResponse());
        server.Script.When<PreviewScheduleRequest>(_ => new PreviewScheduleResponse { FireTimes = { new FireTime { At = job.NextRunAt, Local = "2026-01-03T02:00:00+00:00", BusinessDate = "2026-01-02" } } });
        using var kpictl = new CommandLine(server) { Clock = Clock };
        (job.ScheduleOverridden, job.Paused, job.PauseReason) = (true, true, "ledger closes");

        Assert.Matches(@"(?m) 0 2 \* \* \* \(overridden\) +3h ago success +- \(paused\) +paused +- *$", (await kpictl.Run("get")).Out);
        Assert.Matches("(?m)^next_run .* held: the job is paused$", (await kpictl.Run("describe", "dso_daily")).Out);
        Assert.Contains("acme/dev/dso_daily is paused until resumed, because: ledger closes: no slot before then starts a run\n", (await kpictl.Run("preview", "dso_daily")).Error, StringComparison.Ordinal);
        job.PausedUntil = Wire.At("2026-01-02T12:00:00Z");
        Assert.Matches(@"(?m) in 20h +paused +- *$", (await kpictl.Run("get")).Out);
        Assert.Contains("paused until 2026-01-02 12:00:00Z", (await kpictl.Run("preview", "dso_daily")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_says_its_sentence_once()
    {
        server.Script.When<GetJobRequest>(_ => throw Failures.Of(StatusCode.FailedPrecondition, "PAUSED", "The job is paused: resume it first.", new Google.Rpc.PreconditionFailure
        { Violations = { new Google.Rpc.PreconditionFailure.Types.Violation { Type = "PAUSED", Subject = "54", Description = "The job is paused: resume it first." } } }));
        using var kpictl = new CommandLine(server);

        Assert.Equal("error: The job is paused: resume it first. (PAUSED)\n", (await kpictl.Run("get", "54")).Error);
    }

    [Fact]
    public async Task Wide_has_absolute_times_and_the_whole_hash()
    {
        server.Script.When<ListJobsRequest>(_ => new ListJobsResponse { Jobs = { Wire.Job() } });
        using var kpictl = new CommandLine(server) { Clock = Clock };

        var result = await kpictl.Run("get", "-o", "wide");

        Assert.Contains("2026-01-02 02:00:05Z", result.Out, StringComparison.Ordinal);
        Assert.Contains(Wire.Hash, result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_is_rests_with_snake_case_and_numbers()
    {
        server.Script.When<GetJobRequest>(_ => Wire.Job(bindingId: 9007199254740993));
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("get", "dso_daily", "-o", "json");

        using var json = JsonDocument.Parse(result.Out);
        Assert.Equal(9007199254740993, json.RootElement.GetProperty("binding_id").GetInt64());
        Assert.Equal("0 2 * * *", json.RootElement.GetProperty("schedule_cron").GetString());
        Assert.Equal("2026-01-03T02:00:00Z", json.RootElement.GetProperty("next_run_at").GetString());
        Assert.False(json.RootElement.GetProperty("paused").GetBoolean());
        Assert.Equal("dev", server.Script.Last<GetJobRequest>().Environment);
        Assert.Equal("acme", server.Script.Last<GetJobRequest>().Tenant);
    }

    [Fact]
    public async Task Yaml_and_names_are_for_other_programs()
    {
        server.Script.When<GetJobRequest>(_ => Wire.Job());
        using var kpictl = new CommandLine(server);

        Assert.Contains("contract_version: 1.1.0\n", (await kpictl.Run("get", "7", "-o", "yaml")).Out, StringComparison.Ordinal);
        Assert.Equal("acme/dev/dso_daily\n", (await kpictl.Run("get", "7", "-o", "name")).Out);
        Assert.Equal(7, server.Script.Last<GetJobRequest>().BindingId);
    }

    [Fact]
    public async Task No_jobs_says_how_to_make_one_and_json_stays_json()
    {
        server.Script.When<ListJobsRequest>(_ => new ListJobsResponse());
        using var kpictl = new CommandLine(server);

        var table = await kpictl.Run("get", "--env", "dev");
        var json = await kpictl.Run("get", "-o", "json");

        Assert.Equal((0, "", "no jobs in acme/dev; apply one with: kpictl apply job.yaml\n"), (table.Exit, table.Out, table.Error));
        Assert.Equal(0, JsonDocument.Parse(json.Out).RootElement.GetProperty("jobs").GetArrayLength());
        Assert.Empty(json.Error);
    }

    [Fact]
    public async Task Pages_are_read_to_the_end_and_a_limit_says_that_there_is_more()
    {
        server.Script.When<ListJobsRequest>(request => request.PageToken.Length == 0
            ? new ListJobsResponse { Jobs = { Wire.Job("first") }, NextPageToken = "t" }
            : new ListJobsResponse { Jobs = { Wire.Job("second") } });
        using var kpictl = new CommandLine(server);

        var all = await kpictl.Run("get", "-o", "name");
        var one = await kpictl.Run("get", "-o", "name", "--limit", "1");

        Assert.Equal("acme/dev/first\nacme/dev/second\n", all.Out);
        Assert.Equal("acme/dev/first\n", one.Out);
        Assert.Contains("there are more", one.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Text_from_the_server_cannot_drive_the_terminal()
    {
        server.Script.When<GetJobRequest>(_ =>
        {
            var job = Wire.Job();
            job.Region = "e\u001b[2Ju";
            return job;
        });
        using var kpictl = new CommandLine(server);

        Assert.DoesNotContain('\u001b', (await kpictl.Run("get", "7")).Out);
    }

    [Fact]
    public async Task Describe_shows_the_job_its_open_occurrence_and_its_latest_runs()
    {
        server.Script.When<GetJobRequest>(_ =>
        {
            var job = Wire.Job();
            job.Occurrence = Wire.Occurrence();
            job.Dependencies.Add(new Dependency { DepType = "gdp", DepValue = "GDP_Receivables" });
            job.Beside.Add(Wire.Occurrence("leased"));
            return job;
        });
        server.Script.When<ListRunsRequest>(_ => new ListRunsResponse { Runs = { Wire.Run(12) } });
        using var kpictl = new CommandLine(server) { Clock = Clock };

        var result = await kpictl.Run("describe", "acme/dev/dso_daily");

        Assert.Equal(0, result.Exit);
        Assert.Matches("(?m)^kpi_id +CFO-EF-02$", result.Out);
        Assert.Matches("(?m)^content_hash +" + Wire.Hash + "$", result.Out);
        Assert.Matches(@"(?m)^state +waiting \(dependency\): gdp GDP_Receivables through 2026-01-01$", result.Out);
        Assert.Contains("gdp:GDP_Receivables", result.Out, StringComparison.Ordinal);
        Assert.Matches(@"(?ms)^BESIDE IT$.*^manual:1 +running on .* +2026-01-01 ", result.Out);
        Assert.Matches("(?m)^ *12 +2026-01-01 +success", result.Out);
    }

    [Fact]
    public async Task A_job_that_is_not_there_is_exit_1_with_what_to_do_next()
    {
        server.Script.When<GetJobRequest>(_ => throw Failures.Of(StatusCode.NotFound, "NOT_FOUND", "acme/dev/nope was not found."));
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("get", "nope");

        Assert.Equal(1, result.Exit);
        Assert.Empty(result.Out);
        Assert.Equal("error: acme/dev/nope was not found. (NOT_FOUND)\n  next: check the name, tenant and environment: kpictl get (agents: kpictl agents)\n", result.Error);
    }
}
