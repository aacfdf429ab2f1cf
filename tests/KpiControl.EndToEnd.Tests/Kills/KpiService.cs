using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace KpiControl.EndToEnd.Tests.Kills;

/// <summary>A KPI service that answers at once or when it is let, and publishes behind the fence as the product asks one to.</summary>
internal sealed class KpiService : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ConcurrentDictionary<string, (int Epoch, long Number)> published = new();
    private volatile TaskCompletionSource moreRoom = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int room = int.MaxValue;
    private int calls;

    private KpiService(WebApplication app) => this.app = app;

    public int Port => new Uri(app.Urls.Single()).Port;

    /// <summary>Idempotency keys under which something was published.</summary>
    public ICollection<string> Published => published.Keys;

    /// <summary>Answers so many calls in all; the ones beyond wait until there is more room.</summary>
    public void Answer(int count)
    {
        Volatile.Write(ref room, count);
        Interlocked.Exchange(ref moreRoom, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
    }

    public static async Task<KpiService> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var service = new KpiService(app);
        app.Urls.Add("http://127.0.0.1:0");
        app.MapPost("/calls/execute", service.ExecuteAsync);
        await app.StartAsync();
        return service;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();

    private async Task RoomAsync(int place, CancellationToken token)
    {
        // The signal is taken before the look, so that no room made in between is missed.
        for (var more = moreRoom; place > Volatile.Read(ref room); more = moreRoom)
            await more.Task.WaitAsync(token);
    }

    private async Task<IResult> ExecuteAsync(HttpRequest request)
    {
        var call = (await JsonNode.ParseAsync(request.Body))!;
        await RoomAsync(Interlocked.Increment(ref calls), request.HttpContext.RequestAborted);
        var fence = request.Headers["X-Fence"].ToString().Split('.');
        var mine = (int.Parse(fence[0], CultureInfo.InvariantCulture), long.Parse(fence[1], CultureInfo.InvariantCulture));
        var stands = published.AddOrUpdate(request.Headers["X-Idempotency-Key"].ToString(), mine, (_, other) => other.CompareTo(mine) > 0 ? other : mine);
        if (stands != mine)
            return Results.Json(new { error = "CONFLICT", message = "a greater fence has published" }, statusCode: 409);
        var row = new JsonObject { ["period"] = call["time"]!["range"]!["to"]!.GetValue<string>(), ["company_id"] = "PARENT", ["value"] = 42 };
        return Results.Text(JsonSerializer.Serialize(new JsonObject
        {
            ["kpi_id"] = call["kpi_id"]!.DeepClone(), ["contract_version"] = call["contract_version"]!.DeepClone(), ["run_id"] = "test",
            ["data"] = new JsonArray(row), ["applied_extensions"] = new JsonArray(),
        }), "application/json");
    }
}
