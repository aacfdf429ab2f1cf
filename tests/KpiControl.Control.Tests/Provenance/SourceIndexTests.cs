using Dapper;
using KpiControl.Control.Leases;
using KpiControl.Control.Provenance;
using KpiControl.Control.Tests.Leases;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace KpiControl.Control.Tests.Provenance;

/// <summary>The index of sources is a place to look: it keeps no result from being recorded, and has bounds.</summary>
public sealed class SourceIndexTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_note_that_cannot_be_written_refuses_no_result()
    {
        await using var world = await LeaseWorld.StartAsync();
        await RefuseNotesAsync(world, "true");
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync();
        var report = TestAgent.Success(await agent.LeaseAsync());
        report.Lineage = new Lineage { Sources = { new LineageSource { Type = "gdp", Name = "GDP_Sales", Version = "1" } } };

        Assert.Equal(FinishedAck.Types.Outcome.Recorded, (await agent.FinishAsync(report)).Outcome);

        Assert.Equal(["success"], await world.HistoryAsync(binding));
        await world.UntilLoggedAsync("could not be noted for lineage");
    }

    [Fact]
    public async Task One_job_whose_note_fails_takes_no_other_jobs_note_with_it_and_is_noted_later()
    {
        await using var world = await LeaseWorld.StartAsync();
        await RefuseNotesAsync(world, "NEW.binding_id = 1");
        var index = world.Node.Services.GetRequiredService<SourceIndex>();
        TakenSources[] both = [new(1, "acme", [("gdp", "GDP_A")]), new(2, "acme", [("gdp", "GDP_B")])];

        await index.NoteAsync(both, Token);
        Assert.Equal("2", await NotedAsync(world));

        await RunAsync(world, "DROP TRIGGER refused ON kpi_lineage_source");
        await index.NoteAsync(both, Token);
        Assert.Equal("1 2", await NotedAsync(world));
    }

    [Fact]
    public async Task A_service_that_answers_other_sources_each_time_fills_no_table()
    {
        await using var world = await LeaseWorld.StartAsync();
        var index = world.Node.Services.GetRequiredService<SourceIndex>();

        for (var i = 0; i < 3; i++)
            await index.NoteAsync([new(1, "acme", [.. Enumerable.Range(0, 900).Select(n => ("gdp", $"GDP_{i}_{n}"))]), new(2, "acme", [("gdp", $"GDP_{i}")])], Token);
        await index.NoteAsync([new(1, "acme", [("gdp", "GDP_0_0")])], Token);

        Assert.Equal(SourceIndexStore.MostOfJob, await world.OneAsync<int>("SELECT count(*)::int FROM kpi_lineage_source WHERE binding_id = 1"));
        Assert.Equal(3, await world.OneAsync<int>("SELECT count(*)::int FROM kpi_lineage_source WHERE binding_id = 2"));
    }

    [Fact]
    public async Task The_same_sources_in_another_order_are_no_others()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), "timestamptz '2100-01-01'");
        var (_, plan) = Assert.Single(await world.Node.Services.GetRequiredService<PlanCache>().PlannedAsync([new PlanKey(binding, 1)], key => key, Token));
        TakenSources Taken(params string[] names) =>
            TakenSources.Of(plan, new Report(null!, new Finished { Lineage = new Lineage { Sources = { names.Select(name => new LineageSource { Type = "gdp", Name = name }) } } }, Guid.Empty, [], 0), new RunFacts(0, []));

        Assert.Equal(Taken("GDP_A", "GDP_B", "GDP_C").Fingerprint, Taken("GDP_C", "GDP_A", "GDP_B").Fingerprint);
        Assert.NotEqual(Taken("GDP_A", "GDP_B").Fingerprint, Taken("GDP_A", "GDP_C").Fingerprint);
    }

    private static Task<string> NotedAsync(LeaseWorld world) => world.OneAsync<string>("SELECT string_agg(binding_id::text, ' ' ORDER BY binding_id) FROM kpi_lineage_source");

    private static Task RefuseNotesAsync(LeaseWorld world, string when) => RunAsync(world, $"""
        CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room for notes'; END $$;
        CREATE TRIGGER refused BEFORE INSERT ON kpi_lineage_source FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION refused();
        """);

    private static async Task RunAsync(LeaseWorld world, string sql)
    {
        await using var owner = new NpgsqlConnection(world.Database.Superuser);
        await owner.ExecuteAsync(sql);
    }
}
