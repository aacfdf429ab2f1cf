using System.Collections.Concurrent;
using Grpc.Net.Client;
using KpiControl.Control;
using KpiControl.Protocol.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace KpiControl.Testing;

/// <summary>
/// A node of the real control plane in this process, on ports that the system chose, against a test's database and
/// issuer. Tenants: <c>acme</c> (home <c>eu</c>, also <c>us</c>), <c>globex</c> (home <c>us</c>), <c>initech</c> (<c>eu</c>, no home).
/// </summary>
public sealed class ControlHost : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly TestIssuer issuer;
    private readonly ConcurrentBag<IDisposable> clients = [];
    private readonly ConcurrentDictionary<string, Lazy<GrpcChannel>> people = new();
    private readonly Lazy<GrpcChannel> admin;

    private ControlHost(WebApplication app, TestIssuer issuer)
    {
        (this.app, this.issuer, admin) = (app, issuer, new(() => Open(issuer.Token())));
        var addresses = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.ToList();
        (GrpcUrl, RestUrl, AgentsUrl) = (addresses[0], addresses[1], addresses.ElementAtOrDefault(2) ?? "");
    }

    public string GrpcUrl { get; }

    public string RestUrl { get; }

    /// <summary>Where agents with certificates connect; empty where there is no such door.</summary>
    public string AgentsUrl { get; }

    /// <summary>Where it was bound, in the order of its listeners.</summary>
    public IReadOnlyList<string> Addresses => [.. app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses];

    /// <summary>What trusts the node, where it speaks TLS.</summary>
    public TestAuthority? Authority { get; init; }

    /// <summary>The node's own services, for tests that look behind the API.</summary>
    public IServiceProvider Services => app.Services;

    /// <summary>Warnings and errors that the node logged.</summary>
    public LogCollector Logs { get; private init; } = null!;

    /// <param name="settings">Configuration over the defaults, as <c>("Tenants:0:Weight", "2")</c>.</param>
    public static Task<ControlHost> StartAsync(TestDatabase database, TestIssuer issuer, params (string Key, string Value)[] settings) =>
        StartAsync(database, issuer, _ => { }, settings);

    /// <param name="services">Replaces services before the node starts, e.g. its <see cref="TimeProvider"/>.</param>
    public static Task<ControlHost> StartAsync(TestDatabase database, TestIssuer issuer, Action<IServiceCollection> services, params (string Key, string Value)[] settings) =>
        StartAsync(database, issuer, null, services, settings);

    /// <param name="authority">With a door for agents that show its certificates.</param>
    public static async Task<ControlHost> StartAsync(
        TestDatabase database, TestIssuer issuer, TestAuthority? authority, Action<IServiceCollection> services, params (string Key, string Value)[] settings)
    {
        var logs = new LogCollector();
        // Nobody edits the settings of a test's node, and watching their files takes a thread each.
        var builder = WebApplication.CreateBuilder(["--hostBuilder:reloadConfigOnChange=false"]);
        builder.Configuration.AddInMemoryCollection(Defaults(database, issuer))
            .AddInMemoryCollection((authority?.Settings() ?? []).Select(s => KeyValuePair.Create(s.Key, (string?)s.Value)))
            .AddInMemoryCollection(settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value)));
        builder.Logging.ClearProviders().AddProvider(logs);
        builder.AddKpiControl();
        services(builder.Services);
        var app = builder.Build();
        app.MapKpiControl();
        try
        {
            await app.StartAsync();
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
        return new ControlHost(app, issuer) { Logs = logs, Authority = authority };
    }

    /// <summary>A channel with the token in every call; an empty one sends none, and none at all is the administrator's. A person has one connection, everybody else one a channel.</summary>
    public GrpcChannel Channel(string? token = null) =>
        token is null ? admin.Value : issuer.IsPersons(token) ? people.GetOrAdd(token, _ => new(() => Open(token))).Value : Open(token);

    private GrpcChannel Open(string token)
    {
        var channel = GrpcChannel.ForAddress(GrpcUrl, new GrpcChannelOptions
        {
            HttpHandler = new BearerHandler(token, Authority?.Handler() ?? new SocketsHttpHandler { EnableMultipleHttp2Connections = true }),
            DisposeHttpClient = true,
        });
        clients.Add(channel);
        return channel;
    }

    /// <summary>A channel to the agents' door, with a connection of its own.</summary>
    public GrpcChannel AgentChannel(System.Security.Cryptography.X509Certificates.X509Certificate2? certificate)
    {
        var channel = GrpcChannel.ForAddress(AgentsUrl, new GrpcChannelOptions { HttpHandler = Authority!.Handler(certificate), DisposeHttpClient = true });
        clients.Add(channel);
        return channel;
    }

    public JobService.JobServiceClient Jobs(string? token = null) => new(Channel(token));

    public CatalogService.CatalogServiceClient Catalog(string? token = null) => new(Channel(token));

    public HttpClient Rest(string? token = null)
    {
        var client = new HttpClient(new BearerHandler(token ?? issuer.Token(), Authority?.Handler() ?? new SocketsHttpHandler())) { BaseAddress = new Uri(RestUrl) };
        clients.Add(client);
        return client;
    }

    /// <summary>Stops the node as SIGTERM does, while its clients look on.</summary>
    public Task StopAsync() => app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var client in clients)
            client.Dispose();
        await app.StopAsync();
        await app.DisposeAsync();
    }

    private static Dictionary<string, string?> Defaults(TestDatabase database, TestIssuer issuer) => new()
    {
        ["Database:Requests"] = database.Requests,
        ["Database:Scheduler"] = database.Scheduler,
        ["Authentication:Issuer"] = issuer.Url,
        ["Authentication:Audience"] = issuer.Audience,
        ["Listen:Grpc"] = "http://127.0.0.1:0",
        ["Listen:Rest"] = "http://127.0.0.1:0",
        ["Tenants:0:Id"] = "acme",
        ["Tenants:0:HomeRegion"] = "eu",
        ["Tenants:0:Regions:0"] = "us",
        ["Tenants:1:Id"] = "globex",
        ["Tenants:1:HomeRegion"] = "us",
        ["Tenants:2:Id"] = "initech",
        ["Tenants:2:Regions:0"] = "eu",
    };

    private sealed class BearerHandler(string token, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (token.Length > 0)
                request.Headers.TryAddWithoutValidation("authorization", $"Bearer {token}");
            return base.SendAsync(request, cancellationToken);
        }
    }
}
