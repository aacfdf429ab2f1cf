using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace KpiControl.Agent.Hosting;

/// <summary>
/// <c>GET /health/live</c>: the process answers. <c>GET /health/ready</c>: it has a stream and an outbox; 503 with what it
/// lacks. Served from before the outbox opens until the last result is delivered; it tells nothing of tenants or work.
/// </summary>
internal sealed partial class HealthEndpoint(Health health, IOptions<HealthOptions> options, ILogger<HealthEndpoint> log) : IHostedService, IAsyncDisposable
{
    private WebApplication? served;

    /// <summary>Where it listens; empty: nowhere.</summary>
    public string Address => served?.Urls.Single() ?? "";

    /// <exception cref="InvalidDataException">It cannot listen there; the message says what to do.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (served is not null || HealthOptions.Endpoint(options.Value.Listen) is not { } endpoint)
            return;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = 50;
            kestrel.Limits.MaxRequestBodySize = 0;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(5);
            kestrel.Listen(endpoint);
        });
        served = builder.Build();
        served.Run(AnswerAsync);
        try
        {
            await served.StartAsync(cancellationToken);
        }
        catch (IOException error)
        {
            throw new InvalidDataException($"Agent:Health:Listen {options.Value.Listen} cannot be listened on ({error.Message}). Choose another port, or none.", error);
        }
        Log.Listening(log, Address);
    }

    public Task StopAsync(CancellationToken cancellationToken) => served?.StopAsync(cancellationToken) ?? Task.CompletedTask;

    public ValueTask DisposeAsync() => served?.DisposeAsync() ?? ValueTask.CompletedTask;

    private Task AnswerAsync(HttpContext context)
    {
        IReadOnlyList<string>? lacks = context.Request.Path.Value switch { "/health/live" => [], "/health/ready" => health.Lacks(), _ => null };
        if (lacks is null || !HttpMethods.IsGet(context.Request.Method))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return context.Response.WriteAsync("/health/live and /health/ready are served here", context.RequestAborted);
        }
        context.Response.StatusCode = lacks.Count == 0 ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(JsonSerializer.Serialize(new { status = lacks.Count == 0 ? "ok" : "unavailable", lacks }), context.RequestAborted);
    }

    private static partial class Log
    {
        [LoggerMessage(1511, LogLevel.Information, "Health is served at {Address}.")]
        public static partial void Listening(ILogger log, string address);
    }
}
