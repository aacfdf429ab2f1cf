using System.Text.Json.Nodes;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Leases;

/// <summary>Runs with stages before kpi: what their lease says, and what their completion publishes.</summary>
public sealed class StageLeaseTests
{
    private const string All = "ingestion,raw,gdp,kpi";
    // One slot, of today, and no other for a year: its business date is yesterday.
    private const string Slot = "date_trunc('day', now())";

    [Fact]
    public async Task A_lease_has_the_stages_and_the_contracts_that_are_in_force()
    {
        await using var world = await LeaseWorld.StartAsync();
        var load = await LoadJobAsync(world);
        await ContractAsync(world, "gdp", "GDP_Sales", "1.0.0", "active", "RAW_Sales");
        await ContractAsync(world, "gdp", "GDP_Sales", "1.10.0", "active", "RAW_Sales");
        await ContractAsync(world, "gdp", "GDP_Sales", "1.11.0", "draft", "RAW_Sales");
        await ContractAsync(world, "raw", "RAW_Sales", "2.0.0", "deprecated");
        await using var agent = await world.AgentAsync(stages: All);

        var lease = await agent.LeaseAsync();

        Assert.Equal(load, lease.BindingId);
        Assert.Equal(["ingestion", "raw", "gdp"], lease.Stages);
        Assert.False(lease.DryRun || lease.WindowOnly);
        Assert.Equal(["raw RAW_Sales deprecated 2.0.0", "gdp GDP_Receivables  ", "gdp GDP_Sales active 1.10.0"],
            lease.Datasets.Select(one => $"{one.ContractType} {one.Dataset} {one.Status} {(one.ContractJson.Length == 0 ? "" : JsonNode.Parse(one.ContractJson)!["header"]!["version"])}"));
    }

    [Fact]
    public async Task A_job_of_kpi_alone_is_leased_as_before()
    {
        await using var world = await LeaseWorld.StartAsync();
        await world.Seed.BindAsync(BindingSeed.Job("plain"));
        await using var agent = await world.AgentAsync();

        var lease = await agent.LeaseAsync();

        Assert.Equal((0, 0, false), (lease.Stages.Count, lease.Datasets.Count, lease.DryRun));
    }

    [Fact]
    public async Task A_restatement_of_a_job_that_builds_tables_computes_the_kpi_from_them_as_they_are()
    {
        await using var world = await LeaseWorld.StartAsync();
        var load = await LoadJobAsync(world);
        await using var agent = await world.AgentAsync(stages: All, credit: 2);
        await agent.FinishAsync(TestAgent.Success(await agent.LeaseAsync()));
        await world.ExecuteAsync("""
            WITH rt AS (UPDATE kpi_job_runtime SET queued = queued + 1 WHERE binding_id = @load RETURNING binding_id, abs(lane)::smallint AS lane, revision, tenant_id)
            INSERT INTO kpi_occurrence (binding_id, scheduled_for, kind, last_slot, lane, business_date, revision, tenant_id, requested_by, pinned)
            SELECT binding_id, '2026-02-01', 5, '2026-02-01', lane, '2026-01-31', revision, tenant_id, 'test', true FROM rt;
            SELECT pg_notify('kpi', 'queue ' || abs(lane)) FROM kpi_job_runtime WHERE binding_id = @load
            """, new { load });

        var lease = await agent.LeaseAsync(2);

        Assert.Equal((load, "restatement", "restated", "2026-01-31"), (lease.BindingId, lease.TriggerKind, lease.ScdView, lease.BusinessDate));
        Assert.Equal((0, 0), (lease.Stages.Count, lease.Datasets.Count));
        var finished = Built(lease, 1);
        await agent.FinishAsync(finished);
        Assert.Equal(0, await world.OneAsync<long>("SELECT count(*) FROM kpi_refresh WHERE source_run = @run", new { run = $"run/{finished.Fence.Number}" }));
    }

    [Fact]
    public async Task An_agent_that_does_not_know_stages_is_not_given_them()
    {
        await using var world = await LeaseWorld.StartAsync();
        var load = await LoadJobAsync(world);
        await using var old = await world.AgentAsync("agent-old");
        await world.UntilAsync("SELECT occ_state = 'R' AND occ_reason = 3 FROM kpi_job_runtime WHERE binding_id = @load", new { load });

        await using var newer = await world.AgentAsync(stages: All);

        Assert.Equal(load, (await newer.LeaseAsync()).BindingId);
        Assert.Empty(old.Leases);
    }

    [Fact]
    public async Task A_table_that_was_built_is_published_once_with_the_run_and_wakes_who_waits_for_it()
    {
        await using var world = await LeaseWorld.StartAsync();
        await LoadJobAsync(world);
        var waiting = await WaitingJobAsync(world);
        await using var agent = await world.AgentAsync(stages: All, credit: 2);
        var lease = await agent.LeaseAsync();
        var finished = Built(lease, 1);

        var first = await agent.FinishAsync(finished);
        var again = await agent.FinishAsync(finished);

        Assert.Equal((FinishedAck.Types.Outcome.Recorded, FinishedAck.Types.Outcome.AlreadyRecorded), (first.Outcome, again.Outcome));
        Assert.Equal(waiting, (await agent.LeaseAsync(2)).BindingId);
        var through = Day(lease, 1);
        Assert.Equal($"GDP_Receivables|eu|{through}|run/{finished.Fence.Number}|rows:576|agent-eu, GDP_Sales|eu|{through}|run/{finished.Fence.Number}|rows:576|agent-eu", await RefreshesAsync(world));
    }

    [Fact]
    public async Task A_table_reaches_no_further_than_its_rows_nor_than_the_day_of_the_run()
    {
        await using var world = await LeaseWorld.StartAsync();
        await LoadJobAsync(world);
        await using var agent = await world.AgentAsync(stages: All);
        var lease = await agent.LeaseAsync();
        var finished = Built(lease, -30);
        finished.Stages[0].DataUntil = Day(lease, 300);

        await agent.FinishAsync(finished);

        Assert.Equal($"GDP_Receivables|{Day(lease, 1)}, GDP_Sales|{Day(lease, -30)}",
            await world.OneAsync<string>("SELECT string_agg(dataset || '|' || to_char(data_through AT TIME ZONE 'UTC', 'YYYY-MM-DD'), ', ' ORDER BY dataset) FROM kpi_refresh"));
    }

    [Fact]
    public async Task A_table_that_is_built_again_with_other_rows_is_late_data_and_with_the_same_rows_is_not()
    {
        await using var world = await LeaseWorld.StartAsync();
        var load = await LoadJobAsync(world);
        await using var agent = await world.AgentAsync(stages: All, credit: 5);
        async Task<string> BuildAsync(int number, string version, int? changedFrom = null)
        {
            if (number > 1)
                await world.Node.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = load });
            var lease = await agent.LeaseAsync(number);
            var finished = Built(lease, 1);
            foreach (var stage in finished.Stages)
                (stage.Version, stage.ChangedFrom) = (version, changedFrom is { } days ? Day(lease, days) : "");
            await agent.FinishAsync(finished);
            return await world.OneAsync<string>("SELECT coalesce(string_agg(DISTINCT dataset, ',' ORDER BY dataset), '') FROM kpi_late_refresh JOIN kpi_refresh USING (refresh_id) WHERE source_run = @run", new { run = $"run/{finished.Fence.Number}" });
        }

        Assert.Equal("", await BuildAsync(1, "rows:576 hash:1"));
        Assert.Equal("", await BuildAsync(2, "rows:576 hash:1"));
        Assert.Equal("GDP_Receivables,GDP_Sales", await BuildAsync(3, "rows:576 hash:2"));
        Assert.Equal("", await BuildAsync(4, "rows:576 hash:2", changedFrom: -90));
        Assert.Equal("GDP_Receivables,GDP_Sales", await BuildAsync(5, "rows:577 hash:3", changedFrom: -90));
        Assert.Equal(1, await world.OneAsync<int>("SELECT count(DISTINCT changed_from)::int FROM kpi_refresh WHERE version = 'rows:577 hash:3'"));
    }

    [Fact]
    public async Task A_stale_report_publishes_nothing()
    {
        await using var world = await LeaseWorld.StartAsync();
        var load = await LoadJobAsync(world);
        await using var agent = await world.AgentAsync(stages: All, credit: 2);
        var lost = Built(await agent.LeaseAsync(), 1);
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET fence_n = fence_n + 1, attempt_id = gen_random_uuid() WHERE binding_id = @load", new { load });

        Assert.Equal(FinishedAck.Types.Outcome.Stale, (await agent.FinishAsync(lost)).Outcome);

        Assert.Equal(0, await world.OneAsync<int>("SELECT count(*)::int FROM kpi_refresh"));
    }

    [Theory]
    [InlineData("raw_plus_gdp", "GDP_Flights", "succeeded", "2025-01-01")]
    [InlineData("raw_plus_gdp", "GDP_Sales", "skipped", "2025-01-01")]
    [InlineData("raw_plus_gdp", "GDP_Sales", "succeeded", "")]
    [InlineData("skeleton", "GDP_Sales", "succeeded", "2025-01-01")]
    [InlineData("raw_only", "GDP_Sales", "succeeded", "2025-01-01")]
    public async Task What_the_run_was_not_for_or_did_not_build_is_not_published(string profile, string table, string status, string until)
    {
        await using var world = await LeaseWorld.StartAsync();
        await LoadJobAsync(world, profile);
        await using var agent = await world.AgentAsync(stages: All);
        var finished = TestAgent.Success(await agent.LeaseAsync());
        finished.Stages.Add(new StageEvent { Stage = "gdp", Dataset = table, Status = status, DataUntil = until });

        await agent.FinishAsync(finished);

        Assert.Equal(0, await world.OneAsync<int>("SELECT count(*)::int FROM kpi_refresh"));
    }

    [Fact]
    public async Task A_run_that_loads_tables_is_no_value_of_the_KPI()
    {
        await using var world = await LeaseWorld.StartAsync();
        await LoadJobAsync(world);
        await using var agent = await world.AgentAsync(stages: All);
        await agent.FinishAsync(TestAgent.Success(await agent.LeaseAsync()));

        Assert.Equal("load_sales f", await world.OneAsync<string>("SELECT b.job_id || ' ' || left(d.computes_kpi::text, 1) FROM kpi_job_binding b JOIN kpi_job_def d USING (def_id)"));
    }

    [Fact]
    public async Task A_run_of_which_no_stage_was_ready_was_skipped()
    {
        await using var world = await LeaseWorld.StartAsync();
        var load = await LoadJobAsync(world);
        await using var agent = await world.AgentAsync(stages: All);
        var finished = TestAgent.Result(await agent.LeaseAsync(), "skipped");
        (finished.ErrorCategory, finished.ErrorCode, finished.ErrorMessage) = ("scheduler", "NOT_READY", "no stage was ready");

        await agent.FinishAsync(finished);

        Assert.Equal(["skipped(not_ready)"], await world.HistoryAsync(load));
    }

    private static Task<long> LoadJobAsync(LeaseWorld world, string profile = "raw_plus_gdp") =>
        world.Seed.BindAsync(BindingSeed.Job("load_sales", "0 0 * * *", more: $"run: {{ profile: {profile} }}"), Slot);

    private static async Task<long> WaitingJobAsync(LeaseWorld world)
    {
        var waiting = await world.Seed.BindAsync(BindingSeed.Job("dso", "0 0 * * *", more: "dependencies: { gdp: [GDP_Receivables, GDP_Sales] }"), Slot);
        await world.UntilAsync("SELECT occ_state = 'W' FROM kpi_job_runtime WHERE binding_id = @waiting", new { waiting });
        return waiting;
    }

    // Counted from the business date.
    private static string Day(Lease lease, int days) => DateOnly.ParseExact(lease.BusinessDate, "yyyy-MM-dd").AddDays(days).ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture);

    private static Finished Built(Lease lease, int until)
    {
        var finished = TestAgent.Success(lease);
        foreach (var table in new[] { "GDP_Receivables", "GDP_Sales" })
            finished.Stages.Add(new StageEvent { Stage = "gdp", Dataset = table, Status = "succeeded", DataUntil = Day(lease, until), Version = "rows:576", StartedAt = lease.ScheduledFor, EndedAt = lease.ScheduledFor + Duration.FromTimeSpan(TimeSpan.FromSeconds(1)) });
        return finished;
    }

    private static Task<string> RefreshesAsync(LeaseWorld world) => world.OneAsync<string>("""
        SELECT string_agg(concat_ws('|', dataset, region, to_char(data_through AT TIME ZONE 'UTC', 'YYYY-MM-DD'), source_run, version, published_by), ', ' ORDER BY dataset) FROM kpi_refresh
        """);

    private static Task ContractAsync(LeaseWorld world, string type, string table, string version, string status, string? raw = null) => world.ExecuteAsync("""
        INSERT INTO kpi_contract (tenant_id, kpi_id, version, contract_id, digest, format, content, canonical_json, status, created_by)
        SELECT 'acme', @table, @version, @table, 'sha256:' || encode(sha256(convert_to(json, 'UTF8')), 'hex'), 'json', json, json, @status, 'test' FROM (SELECT @json AS json) AS x
        """, new { table, version, status, json = Json(type, table, version, raw) });

    private static string Json(string type, string table, string version, string? raw)
    {
        var header = new JsonObject { ["contract_id"] = table, ["contract_type"] = type, ["dataset"] = table, ["version"] = version };
        var payload = new JsonObject { ["columns"] = new JsonArray(new JsonObject { ["name"] = "day", ["data_type"] = "DATE" }) };
        if (raw is null)
            payload["source"] = new JsonObject { ["file"] = "sales.csv" };
        else
        {
            header["dependencies"] = new JsonArray(raw);
            payload["data_through"] = new JsonObject { ["column"] = "day", ["grain"] = "day" };
            payload["expression"] = new JsonObject { ["language"] = "sql", ["text"] = $"SELECT day FROM {raw}" };
        }
        return new JsonObject { ["header"] = header, ["payload"] = payload }.ToJsonString();
    }
}
