using System.Text.Json.Nodes;
using Dapper;
using Grpc.Core;
using KpiControl.Control.Leases;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace KpiControl.Control.Tests.Provenance;

/// <summary>From a number up to exactly what it was made of, and from a table down to exactly what it touches.</summary>
public sealed class LineageTests(LineageFixture fixture) : IClassFixture<LineageFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_an_attempt_took_is_known_beside_one_that_does_not_say_when_it_began()
    {
        var services = fixture.Host.Services;
        var plans = await services.GetRequiredService<PlanCache>().PlannedAsync([new PlanKey(fixture.North, 1), new PlanKey(fixture.Total, 1)], key => key, Token);
        var date = new DateOnly(2026, 1, 31);

        RunAsked Asked(BindingPlan plan, long fence, DateTimeOffset? began) => new(Guid.CreateVersion7(), plan, fence, date, TimeProvider.System.GetUtcNow(), OccurrenceKind.Schedule, began);
        var facts = await services.GetRequiredService<RunFactsStore>().OfAsync(
            [Asked(plans[1].Plan, fixture.Total2, null), Asked(plans[0].Plan, fixture.North2, TimeProvider.System.GetUtcNow())], Token);

        Assert.Equal([fixture.North2, fixture.South1], facts[0].Inputs.Select(input => input.RunId));
        Assert.Equal(["2026.02"], facts[1].Inputs.Select(input => input.Version));
    }

    [Fact]
    public async Task Up_from_a_run_are_the_runs_and_versions_that_it_took_and_not_those_of_today()
    {
        var first = await fixture.AskAsync(new GetLineageRequest { RunId = fixture.Total1 });
        var second = await fixture.AskAsync(new GetLineageRequest { RunId = fixture.Total2 });

        Assert.Equal([$"run/{fixture.Total1}", $"run/{fixture.North1}", $"run/{fixture.South1}", "table/GDP_Sales", "table/GDP_Hidden", "table/GDP_Stock"], first.Nodes.Select(n => n.Id));
        Assert.Equal([0, 1, 1, 2, 2, 2], first.Nodes.Select(n => n.Depth));
        Assert.Equal([$"run/{fixture.North2}", $"run/{fixture.South1}"], second.Edges.Where(e => e.From == $"run/{fixture.Total2}").Select(e => e.To));
        Assert.Equal("2026.01", Edge(first, $"run/{fixture.North1}", "table/GDP_Sales").Version);
        Assert.Equal("2026.02", Edge(second, $"run/{fixture.North2}", "table/GDP_Sales").Version);
        Assert.Equal("2026.01", Edge(second, $"run/{fixture.South1}", "table/GDP_Sales").Version);
        Assert.False(first.Truncated);
    }

    [Fact]
    public async Task A_run_has_its_hashes_and_a_source_that_was_met_read_or_only_read_is_told_apart()
    {
        var graph = await fixture.AskAsync(new GetLineageRequest { RunId = fixture.South1 });

        var run = graph.Nodes[0];
        Assert.Equal(("run", "south", "T-SOUTH", "1.0.0", "success", "2026-01-31"), (run.Kind, run.JobId, run.KpiId, run.ContractVersion, run.Run.Status, run.Run.BusinessDate));
        Assert.Equal(await fixture.Control.ScalarAsync<string>(
            "SELECT d.content_hash FROM kpi_binding_revision r JOIN kpi_job_def d USING (def_id) WHERE r.binding_id = @South AND r.revision = 1", new { fixture.South }), run.Run.ContentHash);
        Assert.StartsWith("sha256:", run.Run.ValuesDigest, StringComparison.Ordinal);
        Assert.Equal("sha256:" + new string('a', 64), run.Run.SqlHash);
        Assert.Equal("agent-eu", run.Run.Agent);
        var sales = Edge(graph, run.Id, "table/GDP_Sales");
        Assert.Equal((true, true, true, "rows:1", "load-2026.01"), (sales.Declared, sales.Recorded, sales.Read, sales.ReadVersion, sales.SourceRun));
        var stock = Edge(graph, run.Id, "table/GDP_Stock");
        Assert.Equal((true, true, false, "s.1"), (stock.Declared, stock.Recorded, stock.Read, stock.Version));
        var hidden = Edge(graph, run.Id, "table/GDP_Hidden");
        Assert.Equal((false, true, true, 0), (hidden.Declared, hidden.Recorded, hidden.Read, hidden.RefreshId));
    }

    [Fact]
    public async Task Of_a_job_or_KPI_up_is_its_last_good_run_and_one_that_never_ran_shows_what_it_declares()
    {
        var job = await fixture.AskAsync(new GetLineageRequest { BindingId = fixture.Total });
        var kpi = await fixture.AskAsync(new GetLineageRequest { KpiId = "T-TOTAL" });
        var idle = await fixture.AskAsync(new GetLineageRequest { JobId = "idle" });

        Assert.Equal([$"run/{fixture.Total2}"], job.Roots);
        Assert.Equal(job, kpi);
        Assert.Equal("job", Assert.Single(idle.Nodes, n => n.Depth == 0).Kind);
        Assert.Equal(["signal/eod", "table/GDP_Sales"], idle.Edges.Select(e => e.To).Order());
        Assert.All(idle.Edges, e => Assert.Equal((true, false), (e.Declared, e.Recorded)));
    }

    [Fact]
    public async Task Down_from_a_table_are_the_jobs_that_declare_it_or_took_it_and_theirs_each_once_with_when_and_which_version()
    {
        var graph = await fixture.AskAsync(new GetLineageRequest { Dataset = "GDP_Sales" });

        Assert.Equal(["GDP_Sales", "idle", "north", "south", "total"], graph.Nodes.Select(n => n.Name));
        Assert.Equal([0, 1, 1, 1, 2], graph.Nodes.Select(n => n.Depth));
        var north = Edge(graph, $"job/{fixture.North}", "table/GDP_Sales");
        Assert.Equal((true, true, "2026.02", fixture.North2, "2026-01-31"), (north.Declared, north.Recorded, north.Version, north.RunId, north.BusinessDate));
        Assert.Equal(("2026.01", fixture.South1), (Edge(graph, $"job/{fixture.South}", "table/GDP_Sales").Version, Edge(graph, $"job/{fixture.South}", "table/GDP_Sales").RunId));
        Assert.Equal([false], graph.Edges.Where(e => e.To == "table/GDP_Sales" && graph.Nodes.Single(n => n.Id == e.From).Name == "idle").Select(e => e.Recorded));
        var total = graph.Nodes.Single(n => n.Name == "total");
        Assert.Equal((fixture.Total2, "T-TOTAL"), (total.Run.RunId, total.KpiId));
        Assert.Equal([fixture.South1, fixture.North2], graph.Edges.Where(e => e.From == total.Id).Select(e => e.UpstreamRunId).Order());
    }

    [Theory]
    [InlineData("GDP_Stock", 1, "s.1")]
    [InlineData("GDP_Hidden", 1, "h.1")]
    public async Task What_was_taken_and_is_not_declared_or_no_longer_is_found_from_below(string dataset, int jobs, string version)
    {
        var graph = await fixture.AskAsync(new GetLineageRequest { Dataset = dataset, MaxDepth = 1 });
        var edge = Edge(graph, $"job/{fixture.South}", $"table/{dataset}");
        Assert.Equal(jobs, graph.Edges.Count);
        Assert.Equal((false, true, fixture.South1), (edge.Declared, edge.Recorded, edge.RunId));
        Assert.Equal(version, edge.Version.Length > 0 ? edge.Version : edge.ReadVersion);
    }

    [Fact]
    public async Task Down_from_a_run_are_the_runs_that_took_its_value_and_down_from_a_KPI_its_jobs_dependents()
    {
        Assert.Equal([$"run/{fixture.North1}", $"run/{fixture.Total1}"], (await DownAsync(new GetLineageRequest { RunId = fixture.North1 })).Nodes.Select(n => n.Id));
        Assert.Equal([$"run/{fixture.North2}", $"run/{fixture.Total2}"], (await DownAsync(new GetLineageRequest { RunId = fixture.North2 })).Nodes.Select(n => n.Id));
        Assert.Equal([$"run/{fixture.South1}", $"run/{fixture.Total1}", $"run/{fixture.Total2}"], (await DownAsync(new GetLineageRequest { RunId = fixture.South1 })).Nodes.Select(n => n.Id));
        var kpi = await DownAsync(new GetLineageRequest { KpiId = "T-NORTH", ContractVersion = "1.0.0" });
        Assert.Equal(["north", "twin", "total"], kpi.Nodes.Select(n => n.Name));
        // Both compute it, and of one of them a run was taken.
        Assert.Equal((true, fixture.North2), (Edge(kpi, $"job/{fixture.Total}", $"job/{fixture.North}").Recorded, Edge(kpi, $"job/{fixture.Total}", $"job/{fixture.North}").UpstreamRunId));
        Assert.Equal((true, false, 0), (Edge(kpi, $"job/{fixture.Total}", $"job/{fixture.Twin}").Declared, Edge(kpi, $"job/{fixture.Total}", $"job/{fixture.Twin}").Recorded, Edge(kpi, $"job/{fixture.Total}", $"job/{fixture.Twin}").UpstreamRunId));
        Assert.Empty((await DownAsync(new GetLineageRequest { BindingId = fixture.Total })).Edges);
    }

    [Fact]
    public async Task A_graph_ends_at_its_bounds_and_says_where()
    {
        var shallow = await fixture.AskAsync(new GetLineageRequest { RunId = fixture.Total1, MaxDepth = 1 });
        Assert.Equal((true, "max_depth", 3), (shallow.Truncated, shallow.TruncatedBy, shallow.Nodes.Count));
        Assert.Equal([$"run/{fixture.North1}", $"run/{fixture.South1}"], shallow.Nodes.Where(n => n.Cut).Select(n => n.Id));

        var small = await fixture.AskAsync(new GetLineageRequest { RunId = fixture.Total1, MaxNodes = 2 });
        Assert.Equal((true, "max_nodes", 2, 1), (small.Truncated, small.TruncatedBy, small.Nodes.Count, small.Edges.Count));
        Assert.True(small.Nodes[0].Cut);

        var below = await fixture.AskAsync(new GetLineageRequest { Dataset = "GDP_Sales", MaxDepth = 1 });
        Assert.Equal((true, "max_depth", 4), (below.Truncated, below.TruncatedBy, below.Nodes.Count));
        Assert.Equal(["north", "south"], below.Nodes.Where(n => n.Cut).Select(n => n.Name));
        var few = await fixture.AskAsync(new GetLineageRequest { Dataset = "GDP_Sales", MaxNodes = 2 });
        Assert.Equal((true, "max_nodes", 2), (few.Truncated, few.TruncatedBy, few.Nodes.Count));
        var takers = await DownAsync(new GetLineageRequest { RunId = fixture.South1, MaxNodes = 2 });
        Assert.Equal((true, "max_nodes", 2, 1), (takers.Truncated, takers.TruncatedBy, takers.Nodes.Count, takers.Edges.Count));
    }

    [Fact]
    public async Task Another_tenant_sees_nothing_and_its_own_table_of_the_same_name_is_another()
    {
        var stranger = fixture.Control.Issuer.PersonToken("eve", "globex/*/admin");
        foreach (var request in new GetLineageRequest[]
        {
            new() { RunId = fixture.Total1 }, new() { BindingId = fixture.Total }, new() { KpiId = "T-TOTAL" }, new() { Dataset = "GDP_Sales" }, new() { Dataset = "GDP_Sales", Tenant = "acme" },
        })
            Assert.Equal(StatusCode.NotFound, (await RefusedAsync(request, stranger)).StatusCode);
        Assert.Equal("The table globex/dev/GDP_Sales was not found.", (await RefusedAsync(new GetLineageRequest { Dataset = "GDP_Sales" }, stranger)).Status.Detail);
        Assert.Equal("The table acme/dev/GDP_Nothing was not found.", (await RefusedAsync(new GetLineageRequest { Dataset = "GDP_Nothing" })).Status.Detail);
        Assert.Equal(StatusCode.PermissionDenied, (await RefusedAsync(new GetLineageRequest { RunId = fixture.Total1 }, fixture.Control.Issuer.PersonToken("vic", "acme/stg/viewer"))).StatusCode);

        await fixture.Control.RunAsync("""
            INSERT INTO kpi_refresh (tenant_id, environment, dataset, data_through, source_run, published_by) VALUES ('globex', 'dev', 'GDP_Sales', now(), 'x', 'x') ON CONFLICT DO NOTHING
            """);
        try
        {
            Assert.Equal(["GDP_Sales"], (await fixture.AskAsync(new GetLineageRequest { Dataset = "GDP_Sales" }, stranger)).Nodes.Select(n => n.Name));
        }
        finally
        {
            await using var owner = new Npgsql.NpgsqlConnection(fixture.Control.Database.Superuser);
            await owner.ExecuteAsync("DELETE FROM kpi_refresh WHERE tenant_id = 'globex'");
        }
    }

    [Theory]
    [InlineData("", "", "", 0, "run_id")]
    [InlineData("T-TOTAL", "GDP_Sales", "", 0, "dataset")]
    [InlineData("", "GDP_Sales", "up", 0, "direction")]
    [InlineData("T-TOTAL", "", "sideways", 0, "direction")]
    [InlineData("T-TOTAL", "", "", -1, "max_depth")]
    public async Task A_request_that_cannot_be_answered_is_told_where(string kpi, string dataset, string direction, int depth, string field)
    {
        var refused = await RefusedAsync(new GetLineageRequest { KpiId = kpi, Dataset = dataset, Direction = direction, MaxDepth = depth });
        Assert.Equal((StatusCode.InvalidArgument, field), (refused.StatusCode, Assert.Single(refused.Violations()).Field));
    }

    [Fact]
    public async Task It_goes_by_REST_too()
    {
        using var rest = fixture.Host.Rest();
        var run = JsonNode.Parse(await rest.GetStringAsync($"/api/kpi-runs/{fixture.Total1}/lineage", Token))!;
        var table = JsonNode.Parse(await rest.GetStringAsync("/api/kpi-lineage?dataset=GDP_Sales&tenant=acme", Token))!;
        var job = JsonNode.Parse(await rest.GetStringAsync($"/api/kpi-jobs/{fixture.North}/lineage?direction=down", Token))!;
        Assert.Equal((6, 5, 2), (run["nodes"]!.AsArray().Count, table["nodes"]!.AsArray().Count, job["nodes"]!.AsArray().Count));
    }

    private Task<LineageGraph> DownAsync(GetLineageRequest request)
    {
        request.Direction = "down";
        return fixture.AskAsync(request);
    }

    private static LineageEdge Edge(LineageGraph graph, string from, string to) => Assert.Single(graph.Edges, e => e.From == from && e.To == to);

    private Task<RpcException> RefusedAsync(GetLineageRequest request, string? token = null) => Assert.ThrowsAsync<RpcException>(() => fixture.AskAsync(request, token));
}
