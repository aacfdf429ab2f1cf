using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Tests.Artifacts;

public sealed class MeaningTests
{
    [Theory]
    [InlineData("0 2 * *", "meaning.cron")]
    [InlineData("0 25 * * *", "meaning.cron")]
    [InlineData("@sometimes", "meaning.cron")]
    [InlineData("0 0 30 2 *", "meaning.no_next_occurrence")]
    [InlineData("0 0 31 4,6,9,11 *", "meaning.no_next_occurrence")]
    [InlineData("0 2 1 * MON", "meaning.day_match")]
    public void A_cron_that_never_runs_or_is_not_one_is_refused(string expression, string rule)
    {
        var finding = Job.Only(rule, Job.Cron(expression));
        Assert.Equal(("/schedule/expression", 5, 37), (finding.Path, finding.Line, finding.Column));
        Assert.NotEqual("", finding.Hint);
    }

    [Theory]
    [InlineData("0 2 * * *")]
    [InlineData("30 0 2 * * *")]
    [InlineData("0 2 L * *")]
    [InlineData("0 2 ? * MON#1")]
    [InlineData("0 2 15W * ?")]
    [InlineData("H 2 * * *")]
    [InlineData("@daily")]
    [InlineData("0 0 29 2 *")]
    public void A_cron_that_runs_is_accepted(string expression) => Assert.Empty(Job.Cron(expression).Findings);

    [Fact]
    public void Both_day_fields_together_must_be_meant() => Assert.Empty(Job.Cron("0 2 1 * MON", schedule: ", day_match: all").Findings);

    [Theory]
    [InlineData("Europe/Berln")]
    [InlineData("CEST")]
    [InlineData("europe/berlin")]
    public void An_unknown_zone_is_refused(string zone) => Assert.Equal("/schedule/timezone", Job.Only("meaning.timezone", Job.Cron("0 2 * * *", schedule: $", timezone: {zone}")).Path);

    [Fact]
    public void A_schedule_says_what_its_type_needs()
    {
        Job.Only("meaning.expression", Job.Yaml(Job.Head + "schedule: { type: cron }"));
        Job.Only("meaning.expression", Job.Yaml(Job.Head + "schedule: { type: manual, expression: \"0 2 * * *\" }"));
        Job.Only("meaning.on", Job.Yaml(Job.Head + "schedule: { type: manual, on: [a] }"));
        Job.Only("meaning.on", Job.Yaml(Job.Head + "schedule: { type: event }"));
        Assert.Empty(Job.Yaml(Job.Head + "schedule: { type: event, on: [erp_eod_sync], start_at: 2026-01-01 }").Findings);
    }

    [Theory]
    [InlineData(", start_at: 2026-02-30", "meaning.bounds")]
    [InlineData(", end_at: 2026-01-01T25:00:00Z", "meaning.bounds")]
    [InlineData(", start_at: 2026-03-02, end_at: 2026-03-01", "meaning.bounds")]
    [InlineData(", start_at: 2026-03-02T02:30:00Z, end_at: 2026-03-02", "meaning.no_next_occurrence")]
    [InlineData(", spread: 2d", "meaning.spread")]
    public void Bounds_and_spread_must_make_sense(string schedule, string rule) => Job.Only(rule, Job.Cron("0 2 * * *", schedule: schedule));

    [Theory]
    [InlineData(", start_at: 2026-03-01, end_at: 2026-03-01")]
    [InlineData(", end_at: 2001-03-01T02:00")]
    [InlineData(", spread: 1h, start_at: 2040-01-01T09:00:00+02:00")]
    public void What_has_a_slot_between_its_bounds_is_accepted(string schedule) => Assert.Empty(Job.Cron("0 2 * * *", schedule: schedule).Findings);

    [Fact]
    public void Retries_fit_before_the_next_slot()
    {
        Job.Only("meaning.retry_window", Job.Cron("*/5 * * * *", "retry: { max_retries: 3, backoff: fixed, initial: 2m }"));
        Assert.Equal(Severity.Warning, Assert.Single(Job.Cron("*/5 * * * *", "retry: { max_retries: 1 }\n").Findings).Severity);
        Assert.Empty(Job.Cron("*/5 * * * *", "retry: { max_retries: 1 }\ntimeout: 1m\n").Findings);
        Job.Only("meaning.retry_max", Job.With("retry: { initial: 1h }"));
    }

    [Fact]
    public void A_wait_ends_before_the_next_slot()
    {
        Assert.Equal(6, Job.Only("meaning.wait_timeout", Job.Cron("0 * * * *", "dependencies: { signals: [a], wait_timeout: 1h }")).Line);
        Assert.Empty(Job.Cron("0 * * * *", "dependencies: { signals: [a], wait_timeout: 59m }").Findings);
    }

    [Fact]
    public void Availability_can_be_met()
    {
        Job.Only("meaning.availability", Job.Cron("0 10 * * *", "sla: { availability: \"09:00\" }"));
        Assert.Equal(Severity.Warning, Assert.Single(Job.Cron("50 8 * * *", "sla: { availability: \"09:00\" }").Findings).Severity);
        Assert.Empty(Job.Cron("50 8 * * *", "sla: { availability: { target: \"09:00\", grace: 15m } }").Findings);
        Assert.Empty(Job.Cron("0 2 * * *", "sla: { availability: \"09:00\" }", ", timezone: Asia/Tokyo").Findings);
    }

    [Fact]
    public void Freshness_that_a_clock_change_breaks_is_warned_of()
    {
        const string Tight = "sla: { freshness: { target: 24h, grace: 30m } }\n";
        Assert.Equal("meaning.freshness", Assert.Single(Job.Cron("0 2 * * *", Tight, ", timezone: Europe/Berlin").Findings).Rule);
        Assert.Empty(Job.Cron("0 2 * * *", Tight).Findings);
    }

    [Theory]
    [InlineData("timeout: 25h", "meaning.duration")]
    [InlineData("timeout: 0s", "meaning.duration")]
    [InlineData("sla: { freshness: 999999999d }", "meaning.duration")]
    [InlineData("dependencies: { gdp: [GDP_A], max_age: { GDP_B: 1h } }", "meaning.max_age")]
    [InlineData("dependencies: { kpis: [{ kpi_id: K-1, contract_version: 1.0.0 }] }", "meaning.own_kpi")]
    [InlineData("run: { profile: kpi_only, stage_set: [kpi] }", "meaning.run_selection")]
    [InlineData("run: { profile: backfill }", "meaning.backfill_window")]
    [InlineData("runtime: { filters: [{ field: a, op: in, value: 1 }] }", "meaning.filter_value")]
    [InlineData("runtime: { filters: [{ field: a, op: between, value: [1] }] }", "meaning.filter_value")]
    [InlineData("runtime: { filters: [{ field: a, op: is_null, value: 1 }] }", "meaning.filter_value")]
    [InlineData("runtime: { filters: [{ field: a, op: \"=\" }] }", "meaning.filter_value")]
    [InlineData("runtime: { filters: [{ field: a, op: like, value: 1 }] }", "meaning.filter_value")]
    public void What_the_schema_cannot_say_is_refused(string line, string rule) => Assert.Equal(6, Job.Only(rule, Job.With(line)).Line);

    [Fact]
    public void What_stands_twice_in_a_set_is_warned_of()
    {
        var finding = Assert.Single(Job.With("labels: [a, b, a]").Findings);
        Assert.Equal(("meaning.duplicate", "/labels/2", Severity.Warning), (finding.Rule, finding.Path, finding.Severity));
    }

    [Theory]
    [InlineData("on_breach", "schedule: { type: manual }\nsla: { freshness: 1d, on_breach: halt }", "/sla/on_breach")]
    [InlineData("time_calendar", "schedule: { type: manual }\nruntime: { time: { calendar: fiscal } }", "/runtime/time/calendar")]
    public void What_is_not_executed_yet_is_refused_by_name(string rule, string lines, string path)
    {
        var reading = Job.Yaml(Job.Head + lines);
        var finding = Job.Only("unsupported." + rule, reading);
        Assert.Equal(path, finding.Path);
        Assert.Contains("is not supported yet", finding.Message, StringComparison.Ordinal);
        Assert.NotNull(reading.ContentHash);
    }

    [Fact]
    public void History_that_is_loaded_once_promises_no_freshness() =>
        Assert.Equal("/sla/freshness", Job.Only("meaning.pre_fill_freshness", Job.Yaml(Job.Head + "schedule: { type: manual }\nrun: { profile: pre_fill }\nsla: { freshness: 1d }")).Path);

    [Theory]
    [InlineData("run: { profile: raw_plus_gdp }")]
    [InlineData("run: { profile: skeleton }")]
    [InlineData("run: { stage_set: [gdp, kpi] }")]
    [InlineData("run: { profile: backfill }\nruntime: { time: { range: { type: relative, last_n: 3 } } }")]
    public void Stages_are_a_question_for_the_control_plane(string lines) => Assert.Empty(Job.Yaml(Job.Head + "schedule: { type: manual }\n" + lines).Findings);

    [Theory]
    [InlineData("run: { profile: raw_plus_gdp }")]
    [InlineData("run: { stage_set: [gdp, kpi] }")]
    public void Runs_that_replace_tables_do_not_run_at_once(string lines) =>
        Assert.Equal("/schedule/overlap", Job.Only("meaning.overlap_stages", Job.Yaml(Job.Head + "schedule: { type: manual, overlap: allow }\n" + lines)).Path);

    [Fact]
    public void More_at_once_than_are_run_is_warned_of() =>
        Assert.Equal(("meaning.overlap_many", Severity.Warning), Assert.Single(Job.Yaml(Job.Head + "schedule: { type: cron, expression: \"* * * * *\", overlap: allow }\ntimeout: 20m").Findings) is var finding ? (finding.Rule, finding.Severity) : default);

    [Theory]
    [InlineData("schedule: { type: manual, overlap: allow }\nrun: { profile: skeleton }")]
    [InlineData("schedule: { type: cron, expression: \"0 * * * *\", overlap: allow }\nretry: { max_retries: 3, initial: 40m, max: 40m }\ntimeout: 2h")]
    public void Runs_may_stand_side_by_side(string lines) => Assert.Empty(Job.Yaml(Job.Head + lines).Findings);

    [Fact]
    public void What_is_executed_is_not_refused() =>
        Assert.Empty(Job.Yaml(Job.Head + "schedule: { type: cron, expression: \"@daily\", overlap: queue_one }\nrun: { stage_set: [kpi] }\nsla: { latency: 3s, on_breach: alert }").Findings);
}
