using KpiControl.Control.Leases;
using KpiControl.Jobs.Artifacts;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Leases;

/// <summary>What no agent can take says so, goes on when one comes, and does not wait for ever.</summary>
public sealed class RoutingTests
{
    private const string Yearly = "0 0 1 1 *";
    private const string NextYear = "date_trunc('year', now()) + interval '1 year'";

    [Theory]
    [InlineData("run: { conn_id: warehouse }", "has connection warehouse;")]
    [InlineData("run: { agent_labels: [gpu] }", "has label gpu;")]
    public async Task A_triggered_job_that_no_connected_agent_can_run_says_what_is_missing_who_is_there_and_what_to_do(string run, string missing)
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("picky", Yearly, more: run), NextYear);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        await world.Node.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = binding });

        await world.UntilAsync("SELECT occ_state = 'R' AND occ_reason = 3 FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });

        var told = await world.Node.Jobs().ExplainOccurrenceAsync(new ExplainOccurrenceRequest { BindingId = binding });
        Assert.Contains($"no connected agent in region eu that serves acme {missing} agents connected: agent-eu (connections default).", told.Answer, StringComparison.Ordinal);
        Assert.Contains("it starts when such an agent connects", told.Answer, StringComparison.Ordinal);
        Assert.Contains(told.Facts, fact => fact.Kind == "no_agent");
        Assert.Contains(told.Facts, fact => fact.Kind == "deadline");
        Assert.Equal("no_agent", (await world.Node.Jobs().GetJobAsync(new GetJobRequest { BindingId = binding })).Occurrence.Reason);
    }

    [Fact]
    public async Task A_region_without_agents_shows_until_one_connects_to_any_node_and_gives_it_up_to_nobody_then()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("far", Yearly), NextYear, region: "us");
        await world.Node.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = binding });
        await world.UntilAsync("SELECT occ_state = 'R' AND occ_reason = 3 AND occ_deadline > now() FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
        Assert.StartsWith("It is ready, and no live agent in us serves acme.", (await world.Node.Jobs().ExplainOccurrenceAsync(new ExplainOccurrenceRequest { BindingId = binding })).Answer, StringComparison.Ordinal);

        // Without credit, and on another node than the one that shows it.
        var other = await world.AddNodeAsync("node-2", ("Leases:UnroutableAfter", "00:10:00"));
        await using var agent = await world.AgentAsync("agent-us", "us", credit: 0, node: other);
        using var alive = new PeriodicHeartbeat(agent);
        await world.UntilAsync("SELECT occ_reason = 4 AND occ_deadline IS NULL AND NOT EXISTS (SELECT FROM kpi_parked WHERE deadline IS NOT NULL) FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });

        await agent.CreditAsync(1);
        Assert.Equal(binding, (await agent.LeaseAsync()).BindingId);
    }

    [Fact]
    public async Task A_triggered_job_that_no_agent_comes_for_ends_as_unroutable()
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:UnroutableGivesUpAfter", "00:00:01"));
        var binding = await world.Seed.BindAsync(BindingSeed.Job("nobody", Yearly), NextYear);
        await world.Node.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = binding });

        await world.UntilAsync("SELECT EXISTS (SELECT FROM kpi_job_history WHERE binding_id = @binding)", new { binding });

        Assert.Equal(["skipped(unroutable)"], await world.HistoryAsync(binding));
    }

    [Theory]
    [InlineData("pg", new string[0], null)]
    [InlineData("warehouse", new string[0], "connection warehouse")]
    [InlineData("pg", new[] { "gpu" }, null)]
    [InlineData("pg", new[] { "gpu=no" }, "label gpu=no")]
    [InlineData("warehouse", new[] { "gpu", "tpu" }, "connection warehouse or label tpu")]
    [InlineData("files", new[] { "gpu" }, "connection files and label gpu together")]
    public void What_no_agent_has_is_named(string connection, string[] labels, string? lacking)
    {
        var agents = new[] { Agent(["pg"], ("gpu", "yes")), Agent(["files"], ("zone", "a")) };

        Assert.Equal(lacking, new AgentNeeds(connection, labels, []).Lacking(agents));
    }

    [Theory]
    [InlineData("raw_plus_gdp", "connection pg for the stages ingestion, raw")]
    [InlineData("backfill", null)]
    [InlineData("skeleton", null)]
    public void Stages_that_no_agents_connection_executes_are_named(string profile, string? lacking)
    {
        AgentOffer[] agents = [Agent(["pg"], ("gpu", "yes")) with { Stages = new Dictionary<string, string> { ["pg"] = "gdp,kpi" } }, Agent(["files"], ("zone", "a"))];

        Assert.Equal(lacking, AgentNeeds.Of(new JobRun { Profile = profile, ConnId = "pg" }).Lacking(agents));
    }

    [Fact]
    public void An_agent_that_says_nothing_of_stages_takes_kpi_alone()
    {
        AgentOffer[] agents = [Agent(["pg"], ("gpu", "yes"))];

        Assert.Null(AgentNeeds.Of(new JobRun { ConnId = "pg" }).Lacking(agents));
        Assert.Equal("connection pg for the stages gdp", AgentNeeds.Of(new JobRun { StageSet = ["gdp", "kpi"], ConnId = "pg" }).Lacking(agents));
    }

    private static AgentOffer Agent(string[] connections, (string Name, string Value) label) =>
        new(connections.ToDictionary(c => c, _ => "sql"), new Dictionary<string, string> { [label.Name] = label.Value }, new Dictionary<string, string>());
}
