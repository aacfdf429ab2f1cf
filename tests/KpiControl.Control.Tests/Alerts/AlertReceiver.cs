using System.Collections.Concurrent;
using KpiControl.Testing.Stores;
using Microsoft.AspNetCore.Http;

namespace KpiControl.Control.Tests.Alerts;

/// <summary>Slack, Opsgenie, PagerDuty and a webhook's receiver in one, as their documentation says they answer; it keeps what it took.</summary>
internal sealed class AlertReceiver : IAsyncDisposable
{
    public const string SecretName = "KPI_TEST_ALERT_SECRET";

    private StoreServer server = null!;

    public ConcurrentQueue<Received> All { get; } = new();

    /// <summary>The status that the next requests to a path are answered with; absent: what its service answers.</summary>
    public Func<Received, Task<int>>? Answer { get; set; }

    public string Url => server.Url;

    public static async Task<AlertReceiver> StartAsync()
    {
        Environment.SetEnvironmentVariable(SecretName, "shared");
        var receiver = new AlertReceiver();
        receiver.server = await StoreServer.StartAsync(receiver.TakeAsync);
        return receiver;
    }

    public (string Key, string Value)[] Settings =>
    [
        ("Alerts:SendEvery", "00:00:00.1"), ("Alerts:Channels:acme:Webhooks:ops:Url", $"{Url}/hook"), ("Alerts:Channels:acme:Webhooks:ops:Secret", $"env:{SecretName}"),
        ("Alerts:Channels:acme:Slack:Url", $"{Url}/slack"), ("Alerts:Channels:acme:Slack:Token", $"env:{SecretName}"),
        ("Alerts:Channels:acme:Opsgenie:Url", $"{Url}/v2/alerts"), ("Alerts:Channels:acme:Opsgenie:ApiKey", $"env:{SecretName}"),
        ("Alerts:Channels:*:PagerDuty:Url", $"{Url}/v2/enqueue"), ("Alerts:Channels:*:PagerDuty:Keys:finance", $"env:{SecretName}"),
    ];

    public IReadOnlyList<Received> At(string path) => [.. All.Where(r => r.Path.StartsWith(path, StringComparison.Ordinal))];

    public async Task<IReadOnlyList<Received>> UntilAsync(string path, int count)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (At(path).Count < count)
            await tick.WaitForNextTickAsync(limit.Token);
        return At(path);
    }

    private async Task TakeAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var received = new Received(context.Request.Path + context.Request.QueryString, await reader.ReadToEndAsync(), context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase));
        All.Enqueue(received);
        var status = Answer is null ? 0 : await Answer(received);
        context.Response.StatusCode = status != 0 ? status : received.Path.StartsWith("/v2", StringComparison.Ordinal) ? 202 : 200;
        if (status == 302)
            context.Response.Headers.Location = $"{Url}/elsewhere";
        await context.Response.WriteAsync(received.Path == "/slack" ? """{"ok":true}""" : "");
    }

    public ValueTask DisposeAsync() => server.DisposeAsync();
}

internal sealed record Received(string Path, string Body, IReadOnlyDictionary<string, string> Headers);
