using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using KpiControl.Agent.Connections;
using KpiControl.Agent.Execution;
using KpiControl.Agent.Executors;
using KpiControl.Agent.Telemetry;
using KpiControl.Agent.Tests.Leasing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace KpiControl.Agent.Tests.Executors;

/// <summary>The http executor against the sample service, and against a service that misbehaves.</summary>
public sealed class HttpExecutorTests
{
    private const string Good = """{"kpi_id":"COO-OT-01","contract_version":"1.0.0","run_id":"r1","data":[{"period":"2001-01-01","value":0.5,"WoW":null,"verdict":"Low"}],"applied_extensions":["WoW"],"meta":{"warnings":[]}}""";

    [Fact]
    public async Task The_sample_service_refuses_a_stale_fence_and_repeats_its_answer()
    {
        await using var service = await SampleService.StartAsync(Samples.Data);
        var lease = Samples.Lease("on_time_http.yaml", "2001-03-31", epoch: 2, fence: 7);
        var first = await service.Executor.ExecuteAsync(lease, default, default);
        var again = await service.Executor.ExecuteAsync(lease, default, default);
        Assert.Equal("success", first.Status);
        Assert.Equal(first.Lineage!.UpstreamRunId, again.Lineage!.UpstreamRunId);
        Assert.StartsWith("file:", Assert.Single(first.Secrets).Reference);
        var stale = await service.Executor.ExecuteAsync(Samples.Lease("on_time_http.yaml", "2001-03-31", epoch: 2, fence: 6), default, default);
        Assert.Equal(("failed", "platform", "CONFLICT"), (stale.Status, stale.ErrorCategory, stale.ErrorCode));
    }

    [Fact]
    public async Task Headers_and_the_answer_are_those_of_the_KPI_Call()
    {
        var seen = new List<string>();
        var outcome = await RunAsync(async context =>
        {
            seen.AddRange(new[] { "X-Tenant-Id", "X-Idempotency-Key", "X-Fence" }.Select(name => context.Request.Headers[name].ToString()));
            await context.Response.WriteAsync(Good);
        });
        Assert.Equal("success", outcome.Status);
        Assert.Equal("acme", seen[0]);
        Assert.EndsWith("/manual:1", seen[1]);
        Assert.Equal("3.9", seen[2]);
        Assert.Equal("Low", outcome.Points[0].Extensions["verdict"].StringValue);
    }

    [Theory]
    [InlineData(422, """{"error":"VALIDATION_FAIL_PRE","message":"m"}""", "skipped", "VALIDATION_FAIL_PRE")]
    [InlineData(422, """{"error":"VALIDATION_FAIL_POST","message":"m"}""", "suppressed", "VALIDATION_FAIL_POST")]
    [InlineData(424, """{"error":"MISSING_GDP","message":"m"}""", "failed", "MISSING_GDP")]
    [InlineData(401, "", "failed", "UNAUTHENTICATED")]
    [InlineData(403, "<html>", "failed", "UNAUTHORIZED")]
    [InlineData(404, "", "failed", "INVALID_KPI_ID")]
    [InlineData(500, "", "failed", "INTERNAL")]
    [InlineData(302, "", "failed", "POLICY_DENY")]
    [InlineData(200, "{}", "failed", "SCHEMA_MISMATCH")]
    [InlineData(200, "not json", "failed", "SCHEMA_MISMATCH")]
    [InlineData(200, """{"kpi_id":"COO-OT-01","contract_version":"1.0.1","data":[],"applied_extensions":["WoW"]}""", "failed", "SCHEMA_MISMATCH")]
    [InlineData(200, """{"kpi_id":"COO-OT-01","contract_version":"1.0.0","data":[],"applied_extensions":[]}""", "failed", "SCHEMA_MISMATCH")]
    public async Task Every_answer_is_an_outcome_of_the_table(int status, string body, string expected, string code)
    {
        var outcome = await RunAsync(async context =>
        {
            context.Response.StatusCode = status;
            if (status == 302)
                context.Response.Headers.Location = "http://other.example/";
            await context.Response.WriteAsync(body);
        });
        Assert.Equal((expected, code), (outcome.Status, outcome.ErrorCode));
    }

    [Theory]
    [InlineData("""{"period":"2001-01-01","value":0.5,"WoW":0.1},{"period":"2001-01-01","metric":"flights","value":40,"WoW":0.2}""")]
    [InlineData("""{"period":"2001-01-01","on_time_rate":0.5,"flights":40,"on_time_rate_WoW":0.1,"flights_WoW":0.2}""")]
    public async Task Several_metrics_are_read_by_row_or_by_member(string rows)
    {
        var outcome = await RunAsync(context => context.Response.WriteAsync(Answer(rows)), contractEdit: TwoMetrics);
        Assert.True(outcome.Status == "success", outcome.ErrorMessage);
        Assert.Equal([("on_time_rate", 0.5, 0.1), ("flights", 40.0, 0.2)], outcome.Points.Select(p => (p.Metric, p.Value, p.Extensions["WoW"].NumberValue)));
    }

    [Theory]
    [InlineData("""{"period":"2001-01-01","value":0.5}""", "without the metric flights")]
    [InlineData("""{"period":"2001-01-01","metric":"delays","value":0.5}""", "a metric delays")]
    public async Task A_metric_too_few_or_too_many_is_named(string rows, string said)
    {
        var outcome = await RunAsync(context => context.Response.WriteAsync(Answer(rows)), contractEdit: TwoMetrics);
        Assert.Equal("SCHEMA_MISMATCH", outcome.ErrorCode);
        Assert.Contains(said, outcome.ErrorMessage, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_service_echoes_of_the_token_leaves_nowhere()
    {
        Environment.SetEnvironmentVariable("KPI_TEST_HTTP_ECHO", Canary);
        var echo = $"{Canary} {Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(Canary))} {Uri.EscapeDataString(Canary)}";
        var said = System.Text.Json.JsonSerializer.Serialize(echo);
        var delivered = await RunAsync(context => context.Response.WriteAsync(
            $$$"""{"kpi_id":"COO-OT-01","contract_version":"1.0.0","run_id":{{{said}}},"data":[{"period":"2001-01-01","value":0.5,"verdict":{{{said}}}}],"applied_extensions":["WoW"],"lineage":{"sources":[{"type":"gdp","table":{{{said}}},"version":""}],"sql_hash":{{{said}}}},"meta":{"warnings":[{{{said}}}]}}"""), credential: "env:KPI_TEST_HTTP_ECHO");
        var failed = await RunAsync(context =>
        {
            context.Response.StatusCode = 500;
            return context.Response.WriteAsync($$"""{"error":"INTERNAL","message":{{said}}}""");
        }, credential: "env:KPI_TEST_HTTP_ECHO");
        Assert.Equal(("partial", "failed"), (delivered.Status, failed.Status));
        foreach (var outcome in new[] { delivered, failed })
        {
            var finished = outcome.ToFinished(Leases.New("http"), DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch).ToString();
            Assert.Contains("***", finished, StringComparison.Ordinal);
            foreach (var form in new[] { Canary, "Y2FuYXJ5", "canary%2F" })
                Assert.DoesNotContain(form, finished, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task What_the_service_echoes_where_its_words_are_cut_leaves_nowhere_either()
    {
        Environment.SetEnvironmentVariable("KPI_TEST_HTTP_ECHO", Canary);
        for (var before = 484; before < 500; before++)
        {
            var said = new string('x', before) + Canary;
            var failed = await RunAsync(context =>
            {
                context.Response.StatusCode = 400;
                return context.Response.WriteAsync($$"""{"error":"SCHEMA_MISMATCH","message":"{{said}}"}""");
            }, credential: "env:KPI_TEST_HTTP_ECHO");
            Assert.DoesNotContain("canar", failed.ErrorMessage, StringComparison.Ordinal);
        }
    }

    private const string Canary = "canary/5d2c+echo";

    private static string Answer(string rows) => $$"""{"kpi_id":"COO-OT-01","contract_version":"1.0.0","data":[{{rows}}],"applied_extensions":["WoW"]}""";

    private static string TwoMetrics(string contract) => contract.Replace("\"metrics\":[", "\"metrics\":[{\"name\":\"on_time_rate\",\"data_type\":\"DOUBLE\"},{\"name\":\"flights\",\"data_type\":\"BIGINT\"}],\"x-metrics\":[", StringComparison.Ordinal);

    [Fact]
    public async Task Retry_After_is_honoured_and_handed_on()
    {
        var calls = 0;
        var outcome = await RunAsync(context =>
        {
            calls++;
            context.Response.StatusCode = 503;
            context.Response.Headers.RetryAfter = "70";
            return Task.CompletedTask;
        });
        Assert.Equal((1, "INTERNAL", TimeSpan.FromSeconds(70)), (calls, outcome.ErrorCode, outcome.RetryAfter));
    }

    [Fact]
    public async Task A_transport_fault_is_tried_again_within_the_attempt()
    {
        var calls = 0;
        var outcome = await RunAsync(async context =>
        {
            if (++calls < 3)
                context.Response.StatusCode = 502;
            else
                await context.Response.WriteAsync(Good);
        });
        Assert.Equal((3, "success"), (calls, outcome.Status));
    }

    [Fact]
    public async Task An_answer_that_is_cut_off_in_its_body_is_a_failure_that_is_tried_again()
    {
        // Kestrel closes the connection of a response that is shorter than it said.
        var outcome = await RunAsync(context =>
        {
            context.Response.ContentLength = Good.Length + 1000;
            return context.Response.WriteAsync(Good);
        });
        Assert.Equal(("failed", "platform", "INTERNAL"), (outcome.Status, outcome.ErrorCategory, outcome.ErrorCode));
        Assert.StartsWith("the KPI service's answer was cut off", outcome.ErrorMessage, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_call_carries_the_attempts_span_as_its_parent()
    {
        using var listener = new ActivityListener { ShouldListenTo = source => source.Name == AttemptTelemetry.Name, Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded };
        ActivitySource.AddActivityListener(listener);
        await using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        using var telemetry = new AttemptTelemetry(services.GetRequiredService<IMeterFactory>());
        var parent = "";
        using var span = telemetry.Begin(new Protocol.V1.Lease { AttemptId = "a", BindingId = 1 });
        await RunAsync(context =>
        {
            parent = context.Request.Headers["traceparent"].ToString();
            return context.Response.WriteAsync(Good);
        });
        Assert.Contains(span!.TraceId.ToHexString(), parent, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_never_stops_and_one_that_never_comes_end()
    {
        var endless = await RunAsync(async context =>
        {
            while (!context.RequestAborted.IsCancellationRequested)
                await context.Response.WriteAsync(new string(' ', 64 * 1024), context.RequestAborted);
        });
        Assert.Equal("SCHEMA_MISMATCH", endless.ErrorCode);
        var silent = await RunAsync(context => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted), TimeSpan.FromSeconds(1));
        Assert.Equal("EXEC_TIMEOUT", silent.ErrorCode);
    }

    [Fact]
    public async Task A_token_that_the_service_repeats_does_not_leave()
    {
        const string Canary = "canary \"7f3a\" /+token";
        Environment.SetEnvironmentVariable("KPI_TEST_HTTP_CANARY", Canary);
        var outcome = await RunAsync(
            async context =>
            {
                context.Response.StatusCode = 403;
                var sent = context.Request.Headers.Authorization.ToString();
                await context.Response.WriteAsJsonAsync(new { error = "UNAUTHORIZED", message = $"{sent} {Uri.EscapeDataString(sent)} {Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(sent))}" });
            },
            credential: "env:KPI_TEST_HTTP_CANARY");
        var said = outcome.ErrorMessage + outcome.Stages[0].Reason;
        Assert.DoesNotContain("7f3a", said, StringComparison.Ordinal);
        Assert.Contains("***", said, StringComparison.Ordinal);
        Assert.DoesNotContain(Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes("Bearer " + Canary))[12..28], said, StringComparison.Ordinal);
    }

    private static async Task<Outcome> RunAsync(RequestDelegate answer, TimeSpan? timeout = null, string? credential = null, Func<string, string>? contractEdit = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        await using var app = builder.Build();
        app.MapPost("/api/calls/execute", answer);
        await app.StartAsync();
        await using var registry = new ExecutorRegistry(
            [
                new Connection
                {
                    ConnId = "http", Driver = Driver.Http, Endpoint = app.Urls.First() + "/api/", MaxResponseBytes = 1 << 20, ReportPoints = 100,
                    Credential = credential is null ? null : Agent.Secrets.SecretReference.Parse(credential),
                },
            ], new KpiControl.Agent.Secrets.SecretsInHand(), TimeProvider.System);
        var lease = Samples.Lease("on_time_http.yaml", "2001-03-31", epoch: 3, fence: 9, contractEdit: contractEdit) with { Timeout = timeout ?? TimeSpan.FromMinutes(1) };
        return await registry.For("http")!.ExecuteAsync(lease, default, default);
    }
}
