using System.Net;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Tests.Telemetry;

/// <summary>
/// What monitoring sees of a node: numbers of regions and outcomes, and nobody's name. Beside no other test: meters of one
/// name in one process are one to the exporter, which lets go of them as soon as any node of them ends.
/// </summary>
[Collection(nameof(TelemetryTests))]
[CollectionDefinition(nameof(TelemetryTests), DisableParallelization = true)]
public sealed class TelemetryTests : IAsyncLifetime
{
    private TestDatabase database = null!;
    private TestIssuer issuer = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => (database, issuer) = (await PostgresFixture.CreateDatabaseAsync(), await TestIssuer.SharedAsync());

    public async ValueTask DisposeAsync()
    {
        await database.DisposeAsync();
    }

    [Fact]
    public async Task Metrics_are_scraped_from_a_listener_of_their_own()
    {
        await using var host = await ControlHost.StartAsync(database, issuer, ("Listen:Metrics", "http://127.0.0.1:0"));
        await using var agent = await RunAsync(host);
        using var http = new HttpClient();

        var text = await Eventually.ComesAsync("a chain that grew, among the metrics", async token =>
            await http.GetStringAsync($"{host.Addresses[2]}/metrics", token) is var page && page.Contains("kpicontrol_audit_linked_total", StringComparison.Ordinal) ? page : null);

        // Not by number: a meter is heard by its name, also those of the nodes that other tests run in this process.
        Assert.Matches("""(?m)^kpicontrol_runs_granted_total\{.*region="eu".*trigger="manual".*\} [1-9][0-9]*$""", text);
        Assert.Matches("""(?m)^kpicontrol_runs_recorded_total\{.*region="eu".*status="success".*\} [1-9][0-9]*$""", text);
        Assert.Matches("""(?m)^kpicontrol_runs_grant_delay_seconds_count\{.*region="eu".*\} [1-9][0-9]*$""", text);
        Assert.Matches("""(?m)^kpicontrol_agents_connected\{.*region="eu".*\} [1-9][0-9]*$""", text);
        Assert.Matches("""(?m)^kpicontrol_reports_waiting\{?.*\}? [0-9]+$""", text);
        Assert.Matches("(?m)^kpicontrol_alerts_look_age_seconds", text);
        Assert.Contains("http_server_request_duration_seconds", text, StringComparison.Ordinal);
        // By name: an address and a user of the database are nobody's who scrapes.
        Assert.All(new[] { "kpi-requests", "kpi-scheduler", "kpi-hot", "kpi-heartbeat" }, pool => Assert.Contains($"db_client_connection_pool_name=\"{pool}\"", text, StringComparison.Ordinal));
        Assert.DoesNotContain("acme", text, StringComparison.Ordinal);
        Assert.DoesNotContain("told_by_nobody", text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync(new Uri($"{host.Addresses[2]}/api/kpi-jobs"), Token)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync(new Uri($"{host.RestUrl}/metrics"), Token)).StatusCode);
    }

    [Theory]
    [InlineData("http", "/v1/metrics", "/v1/traces")]
    [InlineData("grpc", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "/opentelemetry.proto.collector.trace.v1.TraceService/Export")]
    public async Task Traces_and_metrics_are_pushed_without_a_token_or_a_parameter_in_them(string protocol, string metricsPath, string tracesPath)
    {
        await using var receiver = await OtlpReceiver.StartAsync(protocol);
        await using (var host = await ControlHost.StartAsync(database, issuer, ("Telemetry:OtlpEndpoint", receiver.Url), ("Telemetry:OtlpProtocol", protocol)))
        {
            await using var agent = await RunAsync(host);
            using var http = new HttpClient { DefaultRequestHeaders = { { "Authorization", $"Bearer {issuer.Token()}" } } };
            Assert.Contains("told_by_nobody", await http.GetStringAsync($"{host.RestUrl}/api/kpi-jobs?tenant=acme", Token), StringComparison.Ordinal);
        } // What was not pushed yet is, as the node ends.

        Assert.Contains("kpicontrol.runs.granted", receiver.Text(metricsPath), StringComparison.Ordinal);
        var traces = receiver.Text(tracesPath);
        Assert.Contains("/api/kpi-jobs", traces, StringComparison.Ordinal);
        Assert.DoesNotContain("acme", traces, StringComparison.Ordinal);
        Assert.Contains("kpicontrol.v1.JobService/TriggerJob", traces, StringComparison.Ordinal);
        Assert.Contains("INSERT INTO kpi_job_binding", traces, StringComparison.Ordinal);
        Assert.DoesNotContain("told_by_nobody", traces, StringComparison.Ordinal);
        Assert.DoesNotContain(issuer.Token()[..20], traces, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Telemetry:OtlpEndpoint", "collector:4317", "not an address like http://127.0.0.1:4317")]
    [InlineData("Telemetry:OtlpEndpoint", "http://user:secret@127.0.0.1:4317", "OtlpEndpoint (not shown) is not an address like http://127.0.0.1:4317, without user, password or query")]
    [InlineData("Telemetry:OtlpEndpoint", "http://collector.example:4317", "OtlpEndpoint 'http://collector.example:4317' is not encrypted")]
    [InlineData("Telemetry:OtlpProtocol", "carrier pigeon", "neither grpc nor http")]
    [InlineData("Listen:Metrics", "0.0.0.0:9464", "Listen:Metrics '0.0.0.0:9464' is not an address")]
    [InlineData("Listen:Metrics", "http://0.0.0.0:0", "is not loopback")]
    public async Task A_setting_that_means_nothing_is_named_at_start(string key, string value, string words) =>
        Assert.Contains(words, (await Assert.ThrowsAsync<OptionsValidationException>(() => ControlHost.StartAsync(database, issuer, (key, value)))).Message, StringComparison.Ordinal);

    private async Task<TestAgent> RunAsync(ControlHost host)
    {
        var job = await host.CreateSimpleAsync(Token, "told_by_nobody", "0 5 1 1 *");
        var agent = await TestAgent.ConnectAsync(host.Channel(issuer.AgentToken("agent-eu", "eu", "acme")), credit: 2);
        await new BindingSeed(database).BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        await host.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = job.BindingId }, cancellationToken: Token);
        await agent.FinishAsync(TestAgent.Success(await agent.LeaseAsync()));
        await agent.FinishAsync(TestAgent.Success(await agent.LeaseAsync(2)));
        return agent;
    }
}
