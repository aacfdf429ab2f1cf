using System.Text.Json.Nodes;
using Dapper;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Tests.Leases;
using KpiControl.Jobs.Artifacts;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Control.Tests.Evidence;

/// <summary>What is recorded of every run, and that a run without it has not ended.</summary>
public sealed class RunEvidenceTests
{
    [Fact]
    public async Task An_agent_that_says_nothing_of_itself_still_leaves_what_control_knew()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync();

        await agent.FinishAsync(TestAgent.Success(await agent.LeaseAsync()));

        var document = JsonNode.Parse(await world.OneAsync<string>("SELECT document::text FROM kpi_evidence WHERE binding_id = @binding AND kind = 'run'", new { binding }))!;
        Assert.Equal(JobSchema.Hash, document["schema_hash"]!.GetValue<string>());
        Assert.Equal("agent-eu", document["agent"]!.GetValue<string>());
        Assert.Equal(await world.OneAsync<string>("SELECT content_hash FROM kpi_job_def"), document["definition_hash"]!.GetValue<string>());
        Assert.Equal(await world.OneAsync<string>("SELECT coalesce(max(version), 0)::text FROM kpi_tenant_policy WHERE tenant_id = 'acme' AND environment = 'dev'"), document["policy_version"]!.GetValue<string>());
        Assert.Null(document["approval"]);
        Assert.Null(document["values_digest"]);
        Assert.Equal("CFO-EF-02", document["call"]!["kpi_id"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_run_whose_evidence_cannot_be_written_has_not_ended_and_ends_once_it_can()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        var instance = Guid.NewGuid();
        await using var agent = await world.AgentAsync(instance: instance);
        var lease = await agent.LeaseAsync();
        await using (var owner = new NpgsqlConnection(world.Database.Superuser))
        {
            await owner.OpenAsync();
            await owner.ExecuteAsync("""
                CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room for evidence'; END $$;
                CREATE TRIGGER no_room BEFORE INSERT ON kpi_evidence FOR EACH ROW EXECUTE FUNCTION no_room();
                """);

            // Neither recorded nor refused: the stream ends, so that the agent keeps its report and sends it again.
            await agent.SayAsync(TestAgent.Report(TestAgent.Success(lease)));
            await agent.Ended.WaitAsync(TimeSpan.FromMinutes(1));
            Assert.Empty(await world.HistoryAsync(binding));
            Assert.True(await world.OneAsync<bool>("SELECT occ_state IS NOT NULL FROM kpi_job_runtime WHERE binding_id = @binding", new { binding }));

            await owner.ExecuteAsync("DROP TRIGGER no_room ON kpi_evidence");
        }
        await using var back = await world.AgentAsync(instance: instance, credit: 0, held: TestAgent.Holding(lease));
        Assert.Equal(FinishedAck.Types.Outcome.Recorded, (await back.FinishAsync(TestAgent.Success(lease))).Outcome);
        Assert.Equal(["success"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task A_report_with_an_instant_that_is_none_is_recorded_without_it_and_kept_as_it_was_sent()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync();
        var report = TestAgent.Success(await agent.LeaseAsync());
        report.StartedAt.Nanos = -5;
        report.Stages.Add(new StageEvent { Stage = "kpi", EndedAt = new Timestamp { Seconds = long.MaxValue } });

        Assert.Equal(FinishedAck.Types.Outcome.Recorded, (await agent.FinishAsync(report)).Outcome);

        Assert.Equal(["success"], await world.HistoryAsync(binding));
        Assert.True(await world.OneAsync<bool>("SELECT started_at IS NULL AND finished_at IS NOT NULL FROM kpi_job_history WHERE binding_id = @binding", new { binding }));
        Assert.Equal(report.ToByteArray(), Convert.FromBase64String(await world.OneAsync<string>("SELECT document ->> 'as_sent' FROM kpi_evidence WHERE binding_id = @binding AND kind = 'run'", new { binding })));
        Assert.True(await world.OneAsync<bool>(
            "SELECT sha256(decode(e.document ->> 'as_sent', 'base64')) = h.result_digest FROM kpi_evidence e JOIN kpi_job_history h USING (run_id, binding_id) WHERE binding_id = @binding", new { binding }));
    }

    [Fact]
    public async Task Such_a_report_that_comes_too_late_is_answered_and_kept_too()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync();
        var report = TestAgent.Success(await agent.LeaseAsync());
        await agent.FinishAsync(report);
        report.FinishedAt.Nanos = -5;

        Assert.Equal(FinishedAck.Types.Outcome.Refused, (await agent.FinishAsync(report)).Outcome);

        Assert.Equal(report.ToByteArray(), Convert.FromBase64String(await world.OneAsync<string>("SELECT document ->> 'as_sent' FROM kpi_evidence WHERE binding_id = @binding AND kind = 'refused'", new { binding })));
    }

    [Fact]
    public async Task The_database_takes_no_reported_run_that_names_no_evidence()
    {
        await using var world = await LeaseWorld.WithoutNodeAsync();
        var refused = await Assert.ThrowsAsync<PostgresException>(() => world.ExecuteAsync("""
            INSERT INTO kpi_job_history (run_id, binding_id, scheduled_for, revision, business_date, lane, final, tenant_id, status, trigger_kind, attempt_id, result_digest)
            VALUES (1, 1, now(), 1, now(), 1, true, 'acme', 'success', 'schedule', gen_random_uuid(), '\x00')
            """));
        Assert.Equal("kpi_job_history_has_evidence", refused.ConstraintName);
    }
}
