using System.Net.Http.Headers;
using System.Text.Json;
using KpiControl.Testing;

namespace KpiControl.EndToEnd.Tests;

/// <summary>The product as it is shipped: control plane and an agent in region eu, a warehouse with the sample files.</summary>
public sealed class Product : IAsyncLifetime
{
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
        await SampleWarehouse.LoadAsync(warehouse);

        var addresses = Path.Combine(directory.FullName, "addresses");
        control = ShippedProcess.Start("KpiControl.Control", "kpi-control", ControlSettings(addresses));
        await Patience.UntilAsync("the control plane listens", () => Task.FromResult(File.Exists(addresses)), control);
        var bound = (await File.ReadAllLinesAsync(addresses)).Select(line => line.Split('=', 2)).ToDictionary(p => p[0], p => p[1]);
        GrpcUrl = bound["grpc"];
        Rest = Client(issuer.Token("admin"), bound["rest"]);
        StartAgent();
    }

    /// <summary>Asks until the answer is not null.</summary>
    public async Task<T> EventuallyAsync<T>(string what, Func<Task<T?>> ask) where T : struct
    {
        T? answer = null;
        await Patience.UntilAsync(what, async () => (answer = await ask()) is not null, control, agent);
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

    private void StartAgent()
    {
        var tokenFile = Path.Combine(directory.FullName, "agent-token");
        var serviceToken = Path.Combine(directory.FullName, "service-token");
        PrivateText.Write(tokenFile, issuer.Token("agent-eu"));
        File.WriteAllText(serviceToken, "no service is called here");
        agent = ShippedProcess.Start("KpiControl.Agent", "kpi-agent",
        [
            ("Agent__Name", "agent-eu"), ("Agent__Region", "eu"),
            ("Agent__ConnectionsFile", Repository.File("samples", "connections", "eu.yaml")),
            ("Agent__ControlPlane__Address", GrpcUrl), ("Agent__ControlPlane__Token", $"file:{tokenFile}"),
            ("Agent__Outbox__Directory", Path.Combine(directory.FullName, "outbox")),
            ("KPI_SERVICE_PORT", "9"), ("KPI_SERVICE_TOKEN_FILE", serviceToken),
            .. SampleWarehouse.Settings(warehouse),
        ]);
    }

    private (string, string)[] ControlSettings(string addresses) =>
    [
        ("KPI_Database__Requests", database.Requests), ("KPI_Database__Scheduler", database.Scheduler),
        ("KPI_Authentication__Issuer", issuer.Url), ("KPI_Authentication__Audience", issuer.Audience),
        ("KPI_Listen__Grpc", "http://127.0.0.1:0"), ("KPI_Listen__Rest", "http://127.0.0.1:0"), ("KPI_Listen__AddressFile", addresses),
        ("KPI_Tenants__0__Id", "acme"), ("KPI_Tenants__0__HomeRegion", "eu"), ("KPI_Tenants__0__Regions__0", "eu"),
    ];

    private static HttpClient Client(string token, string url) => new()
    {
        BaseAddress = new Uri(url),
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) },
    };
}
