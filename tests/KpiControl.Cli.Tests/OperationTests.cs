using System.Text.Json;
using KpiControl.Cli.Tests.Support;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Time.Testing;

namespace KpiControl.Cli.Tests;

public sealed class OperationTests(ScriptedControlPlane server) : IClassFixture<ScriptedControlPlane>
{
    private static readonly DateTimeOffset Now = DateTimeOffset.Parse("2026-01-02T05:00:00Z", System.Globalization.CultureInfo.InvariantCulture);

    [Fact]
    public async Task Pause_until_a_duration_from_now_is_an_instant_with_reason_and_request_id()
    {
        server.Script.When<PauseJobRequest>(_ => Wire.Job());
        using var kpictl = new CommandLine(server) { Clock = new FakeTimeProvider(Now) };

        var result = await kpictl.Run("pause", "dso_daily", "--until", "2h", "--reason", "ledger closes");

        var asked = server.Script.Last<PauseJobRequest>();
        Assert.Equal(Now.AddHours(2), asked.PausedUntil.ToDateTimeOffset());
        Assert.Equal("ledger closes", asked.Reason);
        Assert.True(Guid.TryParse(asked.RequestId, out _));
        Assert.Equal("acme/dev/dso_daily paused until 2026-01-02 07:00:00Z (in 2h)\n", result.Out);
    }

    [Fact]
    public async Task A_dry_run_is_validate_only_and_says_so()
    {
        server.Script.When<ResumeJobRequest>(_ => Wire.Job());
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("resume", "7", "--dry-run");

        Assert.True(server.Script.Last<ResumeJobRequest>().ValidateOnly);
        Assert.Contains("would be resumed (dry run)", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancel_does_not_ask_off_a_terminal_and_says_when_the_end_follows()
    {
        server.Script.When<CancelOccurrenceRequest>(_ => new CancelOccurrenceResponse { BindingId = 7, Ended = false, Occurrence = Wire.Occurrence("leased") });
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("cancel", "dso_daily");

        Assert.Equal(0, result.Exit);
        Assert.Contains("its agent was told to stop", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancel_tells_of_all_that_were_open()
    {
        server.Script.When<CancelOccurrenceRequest>(_ => new CancelOccurrenceResponse
        {
            BindingId = 7, Occurrence = new Occurrence { SlotKey = "schedule:1", State = "leased" }, Others = { new Occurrence { SlotKey = "manual:2", State = "leased" }, new Occurrence { SlotKey = "manual:3", State = "ready" } },
        });
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("cancel", "dso_daily");

        Assert.Matches("(?m)^manual:2 of .*: its agent was told to stop", result.Out);
        Assert.Matches("(?m)^manual:3 of .* cancelled$", result.Out);
    }

    [Theory]
    [InlineData("success", 0)]
    [InlineData("partial", 0)]
    [InlineData("failed", 1)]
    [InlineData("skipped", 1)]
    public async Task Trigger_with_wait_ends_as_the_occurrence_did(string status, int exit)
    {
        var looks = 0;
        server.Script.When<TriggerJobRequest>(_ => new TriggerJobResponse { BindingId = 7, Occurrence = Wire.Occurrence() });
        server.Script.When<GetJobRequest>(_ =>
        {
            var job = Wire.Job();
            job.Occurrence = Wire.Occurrence();
            return job;
        });
        server.Script.When<ListRunsRequest>(_ => looks++ == 0 ? new ListRunsResponse() : new ListRunsResponse { Runs = { Wire.Run(12, "manual:1", status) } });
        server.Script.When<GetRunRequest>(_ => Wire.Detail());
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("trigger", "dso_daily", "--business-date", "2026-01-01", "--wait");

        Assert.Equal(exit, result.Exit);
        Assert.Equal("2026-01-01", server.Script.Last<TriggerJobRequest>().BusinessDate);
        Assert.Equal(12, server.Script.Last<GetRunRequest>().RunId);
        Assert.Contains("waiting (dependency): gdp GDP_Receivables through 2026-01-01", result.Error, StringComparison.Ordinal);
        Assert.Contains("VALUES (2)", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Waiting_gives_up_in_time_and_says_that_the_run_goes_on()
    {
        server.Script.When<TriggerJobRequest>(_ => new TriggerJobResponse { BindingId = 7, Occurrence = Wire.Occurrence() });
        server.Script.When<GetJobRequest>(_ => Waiting());
        server.Script.When<ListRunsRequest>(_ => new ListRunsResponse());
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("trigger", "dso_daily", "--wait", "--wait-timeout", "1s");

        Assert.Equal(1, result.Exit);
        Assert.Contains("manual:1 has not ended after 1s: waiting (dependency): gdp GDP_Receivables through 2026-01-01; the waiting ended, the occurrence lives on\n", result.Error, StringComparison.Ordinal);
        Assert.Contains("next: look again: kpictl explain acme/dev/dso_daily manual:1; end it: kpictl cancel acme/dev/dso_daily --slot manual:1\n", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Waiting_that_is_interrupted_says_that_the_run_lives_on_and_how_to_look_again()
    {
        using var cancelled = new CancellationTokenSource();
        server.Script.When<TriggerJobRequest>(_ => new TriggerJobResponse { BindingId = 7, Occurrence = Wire.Occurrence() });
        server.Script.When<GetJobRequest>(_ => Waiting());
        server.Script.When<ListRunsRequest>(_ => new ListRunsResponse());
        using var kpictl = new CommandLine(server);
        var error = new SignallingWriter("waiting (dependency)", cancelled.Cancel);

        var exit = await Kpictl.Run(["trigger", "dso_daily", "--wait"], kpictl.World(new StringWriter(), error), cancelled.Token);

        Assert.Equal(2, exit);
        Assert.Contains("stopped waiting for manual:1", error.ToString(), StringComparison.Ordinal);
        Assert.Contains("the occurrence lives on\n  next: look again: kpictl explain acme/dev/dso_daily manual:1;", error.ToString(), StringComparison.Ordinal);
    }

    private static Job Waiting()
    {
        var job = Wire.Job();
        job.Occurrence = Wire.Occurrence();
        return job;
    }

    [Fact]
    public async Task Runs_of_a_number_shows_the_run_with_values_lineage_and_evidence()
    {
        server.Script.When<GetRunRequest>(_ => Wire.Detail());
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("runs", "9007199254740993");

        Assert.Equal(0, result.Exit);
        Assert.Matches("(?m)^PERIOD +COMPANY_ID +METRIC +VALUE +MoM$", result.Out);
        Assert.Matches(@"(?m)^2025-11 +PARENT +dso_days +41\.25 +-$", result.Out);
        Assert.Matches(@"(?m)^2025-12 +PARENT +dso_days +40 +-0\.030303$", result.Out);
        Assert.Matches(@"(?m)^gdp +GDP_Receivables +2025\.03$", result.Out);
        Assert.Matches("(?m)^not_negative +post +passed", result.Out);
        Assert.Matches("(?m)^executor +sql/postgresql$", result.Out);
    }

    [Fact]
    public async Task Points_bounds_the_values_and_json_has_them_all()
    {
        server.Script.When<GetRunRequest>(_ => Wire.Detail());
        using var kpictl = new CommandLine(server);

        var bounded = await kpictl.Run("describe", "run/5", "--points", "1");
        var json = await kpictl.Run("runs", "run/5", "-o", "json");

        Assert.DoesNotContain("2025-11", bounded.Out, StringComparison.Ordinal);
        Assert.Contains("2025-12", bounded.Out, StringComparison.Ordinal);
        using var document = JsonDocument.Parse(json.Out);
        var points = document.RootElement.GetProperty("evidence").GetProperty("points");
        Assert.Equal(2, points.GetArrayLength());
        Assert.Equal(41.25, points[0].GetProperty("value").GetDouble());
        Assert.Equal(JsonValueKind.Null, points[0].GetProperty("extensions").GetProperty("MoM").ValueKind);
        Assert.Equal(345, document.RootElement.GetProperty("run").GetProperty("fence").GetProperty("number").GetInt64());
    }

    [Fact]
    public async Task History_filters_by_status_and_an_empty_one_says_what_to_do()
    {
        server.Script.When<GetJobRequest>(_ => Wire.Job());
        server.Script.When<ListRunsRequest>(request => request.Filter.Length > 0 ? new ListRunsResponse { Runs = { Wire.Run(12) } } : new ListRunsResponse());
        using var kpictl = new CommandLine(server);

        var found = await kpictl.Run("history", "7", "--status", "success");
        var none = await kpictl.Run("history", "dso_daily");

        Assert.Equal("status = success", server.Script.Asked.OfType<ListRunsRequest>().First(request => request.Filter.Length > 0).Filter);
        Assert.Matches("(?m)^ *12 +2026-01-01 +success +schedule +1 ", found.Out);
        Assert.Equal("no runs of acme/dev/dso_daily yet; start one with: kpictl trigger acme/dev/dso_daily --wait\n", none.Error);
    }

    [Fact]
    public async Task Runs_of_a_job_say_what_is_open_and_has_no_run_yet()
    {
        server.Script.When<GetJobRequest>(_ => Waiting());
        server.Script.When<ListJobsRequest>(_ => new ListJobsResponse { Jobs = { Waiting(), Wire.Job("other", 8) } });
        server.Script.When<ListRunsRequest>(_ => new ListRunsResponse());
        using var kpictl = new CommandLine(server);

        const string Open = "open: acme/dev/dso_daily manual:1 for 2026-01-01, waiting (dependency): gdp GDP_Receivables through 2026-01-01; kpictl explain acme/dev/dso_daily\n";
        Assert.Equal(Open, (await kpictl.Run("runs", "dso_daily")).Error);
        Assert.Equal(Open, (await kpictl.Run("history", "dso_daily")).Error);
        Assert.Equal(Open, (await kpictl.Run("runs")).Error);
        Assert.Equal("", (await kpictl.Run("runs", "dso_daily", "-o", "json")).Error);
    }

    [Theory]
    [InlineData("manual:2026-01-06T09:30:00.123456Z")]
    [InlineData("2026-01-06T09:30:00.123456Z")]
    [InlineData("2026-01-06 09:30:00.123456Z")]
    [InlineData("2026-01-06 09:30:00Z")]
    [InlineData("2026-01-06 09:30:00Z (3d4h ago)")]
    [InlineData("3d4h ago")]
    [InlineData("in 20h")]
    [InlineData("12m ago")]
    public async Task Explain_takes_what_other_commands_print(string printed)
    {
        server.Script.When<ExplainOccurrenceRequest>(_ => new ExplainOccurrenceResponse { Answer = "It succeeded." });
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("explain", "dso_daily", printed);

        Assert.Equal((0, ""), (result.Exit, result.Error));
        var asked = server.Script.Last<ExplainOccurrenceRequest>();
        Assert.Equal(printed.StartsWith("manual:", StringComparison.Ordinal), asked.SlotKey == printed);
        Assert.Equal(asked.SlotKey.Length == 0, asked.At is not null);
    }

    [Fact]
    public async Task Explain_takes_a_run_and_a_job_by_its_environment()
    {
        server.Script.When<GetRunRequest>(_ => new RunDetail { Run = Wire.Run(12, "manual:2026-01-06T09:30:00.123456Z") });
        server.Script.When<ExplainOccurrenceRequest>(_ => new ExplainOccurrenceResponse { Answer = "It succeeded." });
        using var kpictl = new CommandLine(server);

        Assert.Equal(0, (await kpictl.Run("explain", "run/12")).Exit);
        var ofRun = server.Script.Last<ExplainOccurrenceRequest>();
        Assert.Equal((7, "manual:2026-01-06T09:30:00.123456Z"), (ofRun.BindingId, ofRun.SlotKey));
        Assert.Equal(0, (await kpictl.Run("explain", "stg/dso_daily")).Exit);
        var ofJob = server.Script.Last<ExplainOccurrenceRequest>();
        Assert.Equal(("acme", "stg", "dso_daily"), (ofJob.Tenant, ofJob.Environment, ofJob.JobId));
        Assert.Contains("says which occurrence already", (await kpictl.Run("explain", "run/12", "2026-01-06")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_signal_without_a_business_date_says_what_that_means()
    {
        server.Script.When<PublishSignalRequest>(_ => new PublishSignalResponse { SignalId = 1 });
        using var kpictl = new CommandLine(server);

        Assert.Contains("names no business date: each job takes it once", (await kpictl.Run("signal", "erp_eod_sync")).Error, StringComparison.Ordinal);
        Assert.Equal("", (await kpictl.Run("signal", "erp_eod_sync", "-d", "2026-01-01")).Error);
    }

    [Fact]
    public async Task Explain_prints_the_answer_and_the_facts_in_order()
    {
        server.Script.When<ExplainOccurrenceRequest>(_ => new ExplainOccurrenceResponse
        {
            Answer = "It waits for GDP_Receivables.", SlotKey = "schedule:2026-01-02T02:00:00Z",
            Facts = { new Fact { At = Wire.At("2026-01-02T02:00:00Z"), Kind = "scheduled", Text = "became due", Reference = "revision/2" } },
        });
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("explain", "dso_daily", "2026-01-02T03:00:00Z");

        Assert.StartsWith("schedule:2026-01-02T02:00:00Z: It waits for GDP_Receivables.\n", result.Out, StringComparison.Ordinal);
        Assert.Matches("(?m)^2026-01-02 02:00:00Z +scheduled +became due +revision/2$", result.Out);
        Assert.Equal(Wire.At("2026-01-02T03:00:00Z"), server.Script.Last<ExplainOccurrenceRequest>().At);
    }

    [Fact]
    public async Task Watch_prints_events_as_they_come_and_ctrl_c_is_exit_2()
    {
        using var cancelled = new CancellationTokenSource();
        var seen = new SignallingWriter("run/12", cancelled.Cancel);
        server.Script.When<WatchJobsRequest>(_ => Task.FromResult<IEnumerable<JobEvent>>(
        [
            new JobEvent { Cursor = "1", Kind = "heartbeat", At = Wire.At("2026-01-02T02:00:00Z") },
            new JobEvent { Cursor = "2", Kind = "run", At = Wire.At("2026-01-02T02:00:07Z"), Run = Wire.Run(12) },
        ]));
        using var kpictl = new CommandLine(server);
        var error = new StringWriter();

        var exit = await Kpictl.Run(["watch"], kpictl.World(seen, error), cancelled.Token);

        Assert.Equal(2, exit);
        Assert.Contains("acme/dev/dso_daily  run/12 success for 2026-01-01", seen.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("heartbeat", seen.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Signals_and_refreshes_say_what_they_woke()
    {
        server.Script.When<PublishSignalRequest>(_ => new PublishSignalResponse { SignalId = 1, Woken = 2 });
        server.Script.When<PublishRefreshRequest>(_ => new PublishRefreshResponse { RefreshId = 1, Woken = 0 });
        using var kpictl = new CommandLine(server);

        var signal = await kpictl.Run("signal", "erp_eod_sync", "--business-date", "2026-01-01");
        var refresh = await kpictl.Run("signal", "refresh", "GDP_Sales", "--data-through", "2026-01-02", "--run-id", "etl-9");

        Assert.Equal("erp_eod_sync published: 2 runs became ready\n", signal.Out);
        Assert.Equal("GDP_Sales published: nothing waits for it now\n", refresh.Out);
        Assert.Equal(("dev", "etl-9"), (server.Script.Last<PublishRefreshRequest>().Environment, server.Script.Last<PublishRefreshRequest>().RunId));
        Assert.Equal(Wire.At("2026-01-02T00:00:00Z"), server.Script.Last<PublishRefreshRequest>().DataThrough);
    }

    [Fact]
    public async Task Agents_are_listed_and_none_says_what_follows()
    {
        var agents = new ListAgentsResponse();
        server.Script.When<ListAgentsRequest>(_ => agents);
        using var kpictl = new CommandLine(server);

        var none = await kpictl.Run("agents");
        agents.Agents.Add(new Agent { Agent_ = "eu-1", Region = "eu", State = "live", Slots = 8, Leased = 3, Tenants = { "acme" }, Connections = { ["default"] = "sql" } });
        var one = await kpictl.Run("agents");

        Assert.Contains("no live agents", none.Error, StringComparison.Ordinal);
        Assert.Matches("(?m)^eu-1 +eu +live +3 +8 +acme +default:sql", one.Out);
    }

    [Fact]
    public async Task Draining_an_agent_says_what_it_still_holds_and_how_to_put_it_back()
    {
        server.Script.When<DrainAgentRequest>(r => new Agent { Agent_ = r.Agent, State = "draining", Leased = 2, DrainedAt = Wire.At("2026-01-02T00:00:00Z"), DrainReason = r.Reason });
        server.Script.When<ResumeAgentRequest>(r => new Agent { Agent_ = r.Agent, State = "live" });
        using var kpictl = new CommandLine(server);

        var drained = await kpictl.Run("agents", "drain", "agent-eu", "--reason", "a new disk");
        var json = await kpictl.Run("agents", "drain", "agent-eu", "-o", "json");
        var nameless = await kpictl.Run("agents", "drain");
        var resumed = await kpictl.Run("agents", "resume", "agent-eu");

        Assert.Equal("agent-eu is draining: it holds 2 leases, and gets no more until: kpictl agents resume agent-eu", drained.Out.Trim());
        Assert.Contains("\"state\": \"draining\"", json.Out, StringComparison.Ordinal);
        Assert.Equal(2, nameless.Exit);
        Assert.Equal("agent-eu is live, and takes leases when it is connected", resumed.Out.Trim());
        Assert.Equal("agent-eu", server.Script.Last<ResumeAgentRequest>().Agent);
    }

    [Fact]
    public async Task The_doctor_fails_where_a_promise_is_broken_and_names_the_rows()
    {
        var fine = new Diagnosis { Kind = "invariant 1", Name = "an occurrence succeeds once", Outcome = "ok", Took = new() };
        var broken = new Diagnosis { Kind = "invariant 5", Name = "a lease is under a session that can still end", Outcome = "broken", Rows = { "binding 7: leased to session 3" }, Took = new() };
        var answer = new DiagnoseResponse { Checks = { fine } };
        server.Script.When<DiagnoseRequest>(_ => answer);
        using var kpictl = new CommandLine(server);

        var well = await kpictl.Run("doctor");
        answer = new DiagnoseResponse { Checks = { fine, broken } };
        var ill = await kpictl.Run("doctor");
        answer = new DiagnoseResponse { Checks = { fine, new Diagnosis { Kind = "reviews", Name = "what was released by break-glass is reviewed", Outcome = "open", Rows = { "tenant acme, prod: 2 open" }, Took = new() } } };
        var waiting = await kpictl.Run("doctor");

        Assert.Equal((0, 1, 0), (well.Exit, ill.Exit, waiting.Exit));
        Assert.Matches("(?m)^reviews +what was released by break-glass is reviewed +OPEN", waiting.Out);
        Assert.Contains("tenant acme, prod: 2 open", waiting.Error, StringComparison.Ordinal);
        Assert.Matches("(?m)^invariant 1 +an occurrence succeeds once +OK", well.Out);
        Assert.Matches("(?m)^invariant 5 .*BROKEN", ill.Out);
        Assert.Contains("binding 7: leased to session 3", ill.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_epoch_that_fell_is_shown_with_what_raises_it_and_raising_needs_a_reason()
    {
        server.Script.When<GetEpochRequest>(_ => new Epoch { Epoch_ = 1, Timeline = "00000001", WrittenTimeline = "00000002", BumpedAt = Wire.At("2026-01-02T00:00:00Z") });
        server.Script.When<BumpEpochRequest>(_ => new Epoch { Epoch_ = 2, Timeline = "00000002", WrittenTimeline = "00000002", Stands = true, BumpedAt = Wire.At("2026-01-02T00:00:00Z") });
        using var kpictl = new CommandLine(server);

        var shown = await kpictl.Run("epoch", "show");
        var bare = await kpictl.Run("epoch", "bump");
        var bumped = await kpictl.Run("epoch", "bump", "--reason", "promoted the standby");

        Assert.StartsWith("epoch 1, set ", shown.Out, StringComparison.Ordinal);
        Assert.Contains("nothing is granted until: kpictl epoch bump", shown.Error, StringComparison.Ordinal);
        Assert.Contains("--reason is missing", bare.Error, StringComparison.Ordinal);
        Assert.StartsWith("epoch 2, set ", bumped.Out, StringComparison.Ordinal);
        Assert.Equal("promoted the standby", server.Script.Last<BumpEpochRequest>().Reason);
    }
}
