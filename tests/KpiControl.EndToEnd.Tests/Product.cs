using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text.Json;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.EndToEnd.Tests;

/// <summary>The product as it is shipped: control plane and an agent in region eu, a warehouse with the sample files.</summary>
public sealed class Product : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("kpi-e2e-");
    private TestDatabase database = null!;
    private TestDatabase warehouse = null!;
    private TestIssuer issuer = null!;
    private ShippedProcess control = null!;
    private ShippedProcess agent = null!;

    public HttpClient Rest { get; private set; } = null!;

    public string GrpcUrl { get; private set; } = "";

    public string Token(string principal) => issuer.Token(principal);

    public async ValueTask InitializeAsync()
    {
        database = await PostgresFixture.CreateDatabaseAsync();
        warehouse = await PostgresFixture.CreateEmptyDatabaseAsync();
        issuer = await TestIssuer.StartAsync();
        await LoadSamplesAsync();

        var addresses = Path.Combine(directory.FullName, "addresses");
        control = ShippedProcess.Start("KpiControl.Control", "kpi-control", ControlSettings(addresses));
        await UntilAsync("the control plane listens", () => Task.FromResult(File.Exists(addresses)), control);
        var bound = (await File.ReadAllLinesAsync(addresses)).Select(line => line.Split('=', 2)).ToDictionary(p => p[0], p => p[1]);
        GrpcUrl = bound["grpc"];
        Rest = Client(issuer.Token("admin"), bound["rest"]);
        StartAgent();
    }

    /// <summary>Asks until the answer is not null.</summary>
    public async Task<T> EventuallyAsync<T>(string what, Func<Task<T?>> ask) where T : struct
    {
        T? answer = null;
        await UntilAsync(what, async () => (answer = await ask()) is not null, control, agent);
        return answer!.Value;
    }

    public async Task<JsonElement> GetAsync(string path)
    {
        using var response = await Rest.GetAsync(path);
        return await JsonAsync(response);
    }

    public async Task<JsonElement> PostAsync(string path, HttpContent content)
    {
        using var response = await Rest.PostAsync(path, content);
        return await JsonAsync(response);
    }

    public Task<JsonElement> PostAsync(string path, object body) =>
        PostAsync(path, new StringContent(JsonSerializer.Serialize(body), new MediaTypeHeaderValue("application/json")));

    public async ValueTask DisposeAsync()
    {
        Rest.Dispose();
        await agent.DisposeAsync();
        await control.DisposeAsync();
        await issuer.DisposeAsync();
        await warehouse.DisposeAsync();
        await InvariantCheck.HoldAsync(database);
        await database.DisposeAsync();
        directory.Delete(recursive: true);
    }

    private static async Task<JsonElement> JsonAsync(HttpResponseMessage response)
    {
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"{response.RequestMessage!.Method} {response.RequestMessage.RequestUri}: {(int)response.StatusCode} {text}");
        return JsonDocument.Parse(text).RootElement;
    }

    // What it waits for is a process's doing, which nothing here can signal: it asks, with a limit, and says what it saw.
    private static async Task UntilAsync(string what, Func<Task<bool>> holds, params ShippedProcess[] processes)
    {
        using var limit = new CancellationTokenSource(Patience);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        try
        {
            while (!await holds())
            {
                Assert.DoesNotContain(processes, p => p.HasExited);
                await tick.WaitForNextTickAsync(limit.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or Xunit.Sdk.DoesNotContainException)
        {
            Assert.Fail($"Not within {Patience}: {what}.\n{string.Join("\n---\n", processes.Select(p => p.Output))}");
        }
    }

    private void StartAgent()
    {
        var at = new NpgsqlConnectionStringBuilder(warehouse.Owner);
        var tokenFile = Path.Combine(directory.FullName, "agent-token");
        var serviceToken = Path.Combine(directory.FullName, "service-token");
        File.WriteAllText(tokenFile, issuer.Token("agent-eu"));
        File.WriteAllText(serviceToken, "no service is called here");
        agent = ShippedProcess.Start("KpiControl.Agent", "kpi-agent",
        [
            ("Agent__Name", "agent-eu"), ("Agent__Region", "eu"),
            ("Agent__ConnectionsFile", Repository.File("samples", "connections", "eu.yaml")),
            ("Agent__ControlPlane__Address", GrpcUrl), ("Agent__ControlPlane__Token", $"file:{tokenFile}"),
            ("Agent__Outbox__Directory", Path.Combine(directory.FullName, "outbox")),
            ("KPI_EU_WAREHOUSE_PORT", $"{at.Port}"), ("KPI_EU_WAREHOUSE_DATABASE", warehouse.Name),
            ("KPI_EU_WAREHOUSE_USER", at.Username!), ("KPI_EU_WAREHOUSE_PASSWORD", at.Password!),
            ("KPI_SERVICE_PORT", "9"), ("KPI_SERVICE_TOKEN_FILE", serviceToken),
        ]);
    }

    private (string, string)[] ControlSettings(string addresses) =>
    [
        ("KPI_Database__Requests", database.Requests), ("KPI_Database__Scheduler", database.Scheduler),
        ("KPI_Authentication__Issuer", issuer.Url), ("KPI_Authentication__Audience", issuer.Audience),
        ("KPI_Listen__Grpc", "http://127.0.0.1:0"), ("KPI_Listen__Rest", "http://127.0.0.1:0"), ("KPI_Listen__AddressFile", addresses),
        ("KPI_Tenants__0__Id", "acme"), ("KPI_Tenants__0__HomeRegion", "eu"), ("KPI_Tenants__0__Regions__0", "eu"),
    ];

    private async Task LoadSamplesAsync()
    {
        var at = new NpgsqlConnectionStringBuilder(warehouse.Owner);
        var start = new ProcessStartInfo("bash",
            [Repository.File("samples", "warehouse", "load-postgresql.sh"), $"postgresql://{at.Username}@{at.Host}:{at.Port}/{at.Database}"])
        {
            RedirectStandardError = true,
        };
        start.Environment["PGPASSWORD"] = at.Password;
        using var load = Process.Start(start)!;
        var said = await load.StandardError.ReadToEndAsync();
        await load.WaitForExitAsync();
        Assert.True(load.ExitCode == 0, said);
    }

    private static HttpClient Client(string token, string url) => new()
    {
        BaseAddress = new Uri(url),
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) },
    };
}
