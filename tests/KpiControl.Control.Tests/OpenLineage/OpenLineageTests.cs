using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using Dapper;
using Grpc.Core;
using KpiControl.Control.OpenLineage;
using KpiControl.Control.Tests.Evidence;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using KpiControl.Testing.Stores;
using Microsoft.AspNetCore.Http;

namespace KpiControl.Control.Tests.OpenLineage;

/// <summary>A receiver of lineage that records what it is sent, beside a real control plane and an agent that reports.</summary>
public sealed class OpenLineageTests : IAsyncLifetime
{
    private const string SecretName = "KPI_TEST_LINEAGE_TOKEN";

    private readonly ConcurrentQueue<JsonObject> taken = new();
    private readonly ConcurrentQueue<string> tokens = new();
    private int refusals;
    private StoreServer receiver = null!;
    private TestDatabase database = null!;
    private TestIssuer issuer = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Environment.SetEnvironmentVariable(SecretName, "shared");
        receiver = await StoreServer.StartAsync(TakeAsync);
        database = await PostgresFixture.CreateDatabaseAsync(Token);
        issuer = await TestIssuer.SharedAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await InvariantCheck.HoldAsync(database);
        await database.DisposeAsync();
        await receiver.DisposeAsync();
    }

    [Fact]
    public async Task A_run_that_fails_and_is_tried_again_is_two_runs_with_their_starts_and_ends_sources_and_hashes()
    {
        await using var host = await StartAsync("acme");
        refusals = 2;
        var job = await BoundAsync(host, "dso", "retry: { max_retries: 2, backoff: none }");
        await using (var agent = await TestAgent.ConnectAsync(host.Channel(issuer.AgentToken("agent-eu", "eu", "acme")), credit: 2))
        {
            await host.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = job.BindingId }, cancellationToken: Token);
            await agent.FinishAsync(TestAgent.Failure(await agent.LeaseAsync()));
            var report = EvidenceFixture.Reported(await agent.LeaseAsync(2));
            report.Stages.Insert(0, new StageEvent { Stage = "gdp", Dataset = "GDP_Sales", Status = "succeeded", OutputRows = 12, Version = "rows:12", StartedAt = report.StartedAt, EndedAt = report.FinishedAt });
            await agent.FinishAsync(report);
        }

        // The receiver refused twice: each event comes once all the same, a start before its end.
        var events = await UntilAsync(4);
        Assert.Equal(["START COMPLETE", "START FAIL"], events.GroupBy(RunId).Select(run => string.Join(' ', run.Select(e => Text(e["eventType"])))).Order(StringComparer.Ordinal));
        Assert.All(tokens, token => Assert.Equal("Bearer shared", token));
        Assert.All(events, IsOfTheSpecification);

        var failed = events.Single(e => Text(e["eventType"]) == "FAIL");
        Assert.NotEmpty(Text(failed["run"]!["facets"]!["errorMessage"]!["message"]));
        var complete = events.Single(e => Text(e["eventType"]) == "COMPLETE");
        Assert.Equal(("kpicontrol/acme/dev", "dso"), (Text(complete["job"]!["namespace"]), Text(complete["job"]!["name"])));
        Assert.Equal(["table/GDP_Sales 2026.03"], complete["inputs"]!.AsArray().Select(Named));
        Assert.Equal(["table/GDP_Sales rows:12", "kpi/T-SIMPLE 1.0.0"], complete["outputs"]!.AsArray().Select(Named));
        Assert.Equal([12, 3], complete["outputs"]!.AsArray().Select(output => output!["outputFacets"]!["outputStatistics"]!["rowCount"]!.GetValue<int>()));
        var ours = complete["run"]!["facets"]!["kpicontrol_run"]!;
        Assert.Equal((job.ContentHash, "sha256:" + new string('a', 64), "success"), (Text(ours["definition_hash"]), Text(ours["sql_hash"]), Text(ours["status"])));
        Assert.StartsWith("sha256:", Text(ours["values_digest"]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_start_is_told_while_the_run_goes_on_and_one_that_is_cancelled_is_aborted()
    {
        await using var host = await StartAsync("*");
        var job = await BoundAsync(host, "stopped");
        await using var agent = await TestAgent.ConnectAsync(host.Channel(issuer.AgentToken("agent-eu", "eu", "acme")), credit: 1);
        await host.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = job.BindingId }, cancellationToken: Token);
        var lease = await agent.LeaseAsync();
        var start = Assert.Single(await UntilAsync(1));
        Assert.Equal(("START", lease.AttemptId), (Text(start["eventType"]), RunId(start)));

        await host.Jobs().CancelOccurrenceAsync(new CancelOccurrenceRequest { BindingId = job.BindingId, Reason = "not now" }, cancellationToken: Token);
        await agent.FinishAsync(TestAgent.Result(lease, "cancelled"));
        var abort = (await UntilAsync(2))[1];
        Assert.Equal(("ABORT", lease.AttemptId), (Text(abort["eventType"]), RunId(abort)));
        Assert.All(taken, IsOfTheSpecification);
    }

    [Fact]
    public async Task Nothing_is_kept_or_sent_where_nobody_is_to_be_told()
    {
        await using var host = await StartAsync("globex");
        var job = await BoundAsync(host, "untold");
        await using (var agent = await TestAgent.ConnectAsync(host.Channel(issuer.AgentToken("agent-eu", "eu", "acme")), credit: 1))
        {
            await host.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = job.BindingId }, cancellationToken: Token);
            await agent.FinishAsync(TestAgent.Success(await agent.LeaseAsync()));
        }
        await Eventually.ComesAsync("the run is in the chain", async _ => await ScalarAsync<bool>("SELECT EXISTS (SELECT FROM kpi_chain_link WHERE tenant_id = 'acme' AND 'h' = ANY (row_kinds::text[]))") ? "" : null);
        Assert.Equal(0, await ScalarAsync<int>("SELECT count(*)::int FROM kpi_lineage_event"));
        Assert.Empty(taken);
    }

    [Fact]
    public async Task Events_that_were_given_up_are_listed_and_sent_again_one_by_one_or_all()
    {
        await using var host = await StartAsync("acme");
        refusals = int.MaxValue;
        var job = await BoundAsync(host, "given_up");
        await using (var agent = await TestAgent.ConnectAsync(host.Channel(issuer.AgentToken("agent-eu", "eu", "acme")), credit: 1))
        {
            await host.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = job.BindingId }, cancellationToken: Token);
            await agent.FinishAsync(TestAgent.Success(await agent.LeaseAsync()));
        }
        await Eventually.ComesAsync("both events", async _ => await ScalarAsync<int>("SELECT count(*)::int FROM kpi_lineage_event") == 2 ? "" : null);
        await ScalarAsync<int>("UPDATE kpi_lineage_event SET created_at = now() - interval '4 days'");
        await Eventually.ComesAsync("both are given up", async _ => await ScalarAsync<int>("SELECT count(*)::int FROM kpi_lineage_event WHERE state = 'dead'") == 2 ? "" : null);

        var lineage = new Protocol.V1.LineageService.LineageServiceClient(host.Channel());
        var dead = (await lineage.ListDeadEventsAsync(new ListDeadEventsRequest(), cancellationToken: Token)).Events;
        Assert.Equal(["START", "COMPLETE"], dead.Select(one => one.EventType));
        Assert.All(dead, one => Assert.Equal(("acme", "dev", "given_up", "it answered 503"), (one.Tenant, one.Environment, one.JobId, one.LastError)));
        Assert.Empty((await lineage.ListDeadEventsAsync(new ListDeadEventsRequest { Environment = "prod" }, cancellationToken: Token)).Events);

        refusals = 0;
        var again = new ResendEventsRequest { EventId = dead[1].EventId, Reason = "the receiver is back", RequestId = Guid.NewGuid().ToString() };
        Assert.Equal(1, (await lineage.ResendEventsAsync(again, cancellationToken: Token)).Events);
        // Said again it is the same request; another one finds nothing that was given up.
        Assert.Equal(1, (await lineage.ResendEventsAsync(again, cancellationToken: Token)).Events);
        Assert.Equal("NOT_DEAD", (await Refusals.OfAsync(lineage.ResendEventsAsync(new ResendEventsRequest { EventId = dead[1].EventId }, cancellationToken: Token))).Info().Reason);
        Assert.Equal("COMPLETE", Text((await UntilAsync(1))[0]["eventType"]));

        using var rest = host.Rest();
        using var all = new StringContent("""{"tenant":"acme","reason":"all of it"}""", System.Text.Encoding.UTF8, "application/json");
        using var answer = await rest.PostAsync("/api/lineage-events/resend", all, Token);
        Assert.Equal(1, (int)JsonNode.Parse(await answer.Content.ReadAsStringAsync(Token))!["events"]!);
        Assert.Equal("START", Text((await UntilAsync(2))[1]["eventType"]));
        Assert.Empty((await lineage.ListDeadEventsAsync(new ListDeadEventsRequest(), cancellationToken: Token)).Events);
        Assert.Equal(2, await ScalarAsync<int>("SELECT count(*)::int FROM kpi_audit WHERE object_kind = 'lineage_event' AND verb = 'AlertsManage'"));
    }

    [Fact]
    public void A_receiver_that_hangs_uses_up_no_claim()
    {
        var options = new OpenLineageOptions { Timeout = TimeSpan.FromSeconds(15), ClaimedFor = TimeSpan.FromMinutes(2) };
        Assert.Equal(8, options.MostAtOnce);
        Assert.True(options.MostAtOnce * options.Timeout <= options.ClaimedFor);
        options.Timeout = TimeSpan.FromMinutes(3);
        Assert.Contains("OpenLineage:ClaimedFor (00:02:00) is shorter than one try may take", Assert.Single(options.Validate(new ValidationContext(options))).ErrorMessage, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://lineage.example/api", "", "OpenLineage:Receivers:acme:Url 'http://lineage.example/api' is plain HTTP: use https")]
    [InlineData("https://lineage.example/api", "the-token-itself", "OpenLineage:Receivers:acme:Token is not a reference")]
    public void Settings_that_cannot_work_are_refused_in_words(string url, string token, string told)
    {
        var options = new OpenLineageOptions { Receivers = { ["acme"] = new LineageReceiver { Url = url, Token = token } } };
        Assert.StartsWith(told, Assert.Single(options.Validate(new ValidationContext(options))).ErrorMessage, StringComparison.Ordinal);
    }

    private Task<ControlHost> StartAsync(string tenant) => ControlHost.StartAsync(database, issuer,
        ("OpenLineage:SendEvery", "00:00:00.05"), ("OpenLineage:StartsEvery", "00:00:00.05"), ("OpenLineage:LongestPause", "00:00:00.1"), ("Audit:LinkEvery", "00:00:00.02"),
        ($"OpenLineage:Receivers:{tenant}:Url", $"{receiver.Url}/api/v1/lineage"), ($"OpenLineage:Receivers:{tenant}:Token", $"env:{SecretName}"));

    private static async Task<CreateJobResponse> BoundAsync(ControlHost host, string jobId, string more = "")
    {
        await host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        return await host.Jobs().CreateJobAsync(new CreateJobRequest { Content = SampleTexts.Simple(jobId, "0 5 1 1 *", more) }, cancellationToken: Token);
    }

    private Task<JsonObject[]> UntilAsync(int count) => Eventually.ComesAsync($"{count} events", _ => Task.FromResult(taken.Count >= count ? taken.ToArray() : null));

    // What the specification (2-0-2) demands of each: these members in these forms, and of each facet who made it and by which schema.
    private static void IsOfTheSpecification(JsonObject told)
    {
        Assert.Contains(Text(told["eventType"]), new[] { "START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER" });
        Assert.True(DateTimeOffset.TryParse(Text(told["eventTime"]), System.Globalization.CultureInfo.InvariantCulture, out _));
        Assert.True(Guid.TryParseExact(RunId(told), "D", out _));
        foreach (var uri in new[] { told["producer"], told["schemaURL"] })
            Assert.True(Uri.TryCreate(Text(uri), UriKind.Absolute, out _));
        Assert.Equal("https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent", Text(told["schemaURL"]));
        foreach (var named in told["inputs"]!.AsArray().Concat(told["outputs"]!.AsArray()).Append(told["job"]))
            Assert.True(Text(named!["namespace"]).Length > 0 && Text(named["name"]).Length > 0);
        var holders = told["inputs"]!.AsArray().Concat(told["outputs"]!.AsArray()).Append(told["job"]).Append(told["run"]);
        foreach (var facet in holders.SelectMany(holder => new[] { holder!["facets"], holder["inputFacets"], holder["outputFacets"] }).OfType<JsonObject>().SelectMany(facets => facets.Select(facet => facet.Value!)))
            Assert.True(Uri.TryCreate(Text(facet["_producer"]), UriKind.Absolute, out _) && Uri.TryCreate(Text(facet["_schemaURL"]), UriKind.Absolute, out _), facet.ToJsonString());
    }

    private static string Named(JsonNode? dataset) => $"{Text(dataset!["name"])} {Text(dataset["facets"]!["version"]!["datasetVersion"])}";

    private static string RunId(JsonObject told) => Text(told["run"]!["runId"]);

    private static string Text(JsonNode? node) => node!.GetValue<string>();

    private async Task TakeAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync(context.RequestAborted);
        if (Interlocked.Decrement(ref refusals) >= 0)
        {
            context.Response.StatusCode = 503;
            return;
        }
        tokens.Enqueue(context.Request.Headers.Authorization.ToString());
        taken.Enqueue(JsonNode.Parse(body)!.AsObject());
        context.Response.StatusCode = 201;
    }

    private async Task<T?> ScalarAsync<T>(string sql)
    {
        await using var connection = await database.OpenAsync(Token);
        return await connection.ExecuteScalarAsync<T>(sql);
    }
}
