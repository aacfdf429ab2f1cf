using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Hosting;

internal static class Listeners
{
    /// <summary>gRPC over HTTP/2, and REST: h2c and HTTP/1.1 cannot share a port without TLS. Agents with certificates have a door of their own.</summary>
    public static void AddListeners(this WebApplicationBuilder builder)
    {
        builder.Services.AddValidated<ListenOptions>(ListenOptions.Section);
        builder.Services.AddValidated<LimitOptions>(LimitOptions.Section);
        builder.WebHost.UseSetting(WebHostDefaults.ServerUrlsKey, "");
        builder.WebHost.ConfigureKestrel((context, kestrel) =>
        {
            var options = context.Configuration.GetSection(ListenOptions.Section).Get<ListenOptions>() ?? new ListenOptions();
            kestrel.AddServerHeader = false;
            Limit(kestrel.Limits, context.Configuration.GetSection(LimitOptions.Section).Get<LimitOptions>() ?? new LimitOptions());
            Listen(kestrel, options.Grpc, HttpProtocols.Http2, options);
            Listen(kestrel, options.Rest, IsEncrypted(options.Rest) ? HttpProtocols.Http1AndHttp2 : HttpProtocols.Http1, options);
            if (options.Agents.Length > 0)
                Listen(kestrel, options.Agents, HttpProtocols.Http2, options, CertificateRequired);
            if (options.Metrics.Length > 0)
                Listen(kestrel, options.Metrics, HttpProtocols.Http1, options, isMetrics: true);
        });
        builder.Services.AddHostedService<AddressAnnouncer>();
    }

    private static void Limit(KestrelServerLimits kestrel, LimitOptions limits)
    {
        // Bad values are reported by the options' own validation; Kestrel's words for them would come first.
        if (limits.SilentFor < TimeSpan.FromSeconds(2) || limits.IdleFor < TimeSpan.FromSeconds(2) || limits.Connections < 1 || limits.StreamsPerConnection < 1)
            return;
        kestrel.MaxRequestBodySize = 4 << 20;
        kestrel.MaxConcurrentConnections = limits.Connections;
        kestrel.KeepAliveTimeout = limits.IdleFor;
        kestrel.RequestHeadersTimeout = limits.SilentFor;
        kestrel.MinRequestBodyDataRate = new MinDataRate(240, limits.SilentFor);
        kestrel.MinResponseDataRate = new MinDataRate(240, limits.SilentFor);
        kestrel.Http2.MaxStreamsPerConnection = limits.StreamsPerConnection;
        // An agent's stream is silent while nothing is due; a peer that went away is found by pings.
        kestrel.Http2.KeepAlivePingDelay = limits.SilentFor;
        kestrel.Http2.KeepAlivePingTimeout = limits.SilentFor;
        kestrel.Http2.InitialStreamWindowSize = 1 << 20;
        kestrel.Http2.InitialConnectionWindowSize = 4 << 20;
    }

    private static void Listen(KestrelServerOptions kestrel, string url, HttpProtocols protocols, ListenOptions options, Action<HttpsConnectionAdapterOptions, IServiceProvider>? tls = null, bool isMetrics = false)
    {
        // A bad address is reported by the options' own validation, with all other mistakes.
        if (!ListenOptions.TryEndpoint(url, out var endpoint))
            return;
        kestrel.Listen(endpoint, listen =>
        {
            listen.Protocols = protocols;
            if (IsEncrypted(url) && options.HasCertificate)
                listen.UseHttps(https =>
                {
                    https.ServerCertificate = X509Certificate2.CreateFromPemFile(options.CertificateFile, options.CertificateKeyFile);
                    https.SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13;
                    tls?.Invoke(https, kestrel.ApplicationServices);
                });
            if (isMetrics)
                listen.Use(next => connection =>
                {
                    connection.Features.Set(new MetricsDoor());
                    return next(connection);
                });
        });
    }

    private static bool IsEncrypted(string url) => ListenOptions.TryEndpoint(url, out var endpoint) && ListenOptions.IsEncrypted(url, endpoint);

    private static void CertificateRequired(HttpsConnectionAdapterOptions https, IServiceProvider services)
    {
        https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
        var accepts = services.GetRequiredService<ClientCertificateCheck>();
        https.ClientCertificateValidation = (certificate, chain, _) => accepts(certificate, chain);
    }
}

/// <summary>Whether a client's certificate passes the handshake.</summary>
/// <param name="presented">With what else the client sent.</param>
internal delegate bool ClientCertificateCheck(X509Certificate2 certificate, X509Chain? presented);

/// <summary>Marks the connections of the metrics' listener.</summary>
internal sealed record MetricsDoor;

/// <summary>Says where the process listens once it does: ports may have been chosen by the system.</summary>
internal sealed partial class AddressAnnouncer(
    IServer server, IOptions<ListenOptions> options, IHostApplicationLifetime lifetime, ILogger<AddressAnnouncer> logger) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        lifetime.ApplicationStarted.Register(Announce);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void Announce()
    {
        var addresses = server.Features.Get<IServerAddressesFeature>()?.Addresses.ToList() ?? [];
        if (addresses.Count < 2)
            return;
        // In the order in which they were asked for.
        var further = new Queue<string>(addresses.Skip(2));
        var agents = options.Value.Agents.Length > 0 && further.Count > 0 ? further.Dequeue() : "";
        var metrics = options.Value.Metrics.Length > 0 && further.Count > 0 ? further.Dequeue() : "";
        Log.Listening(logger, addresses[0], addresses[1], agents.Length > 0 ? agents : "none", metrics.Length > 0 ? metrics : "none");
        if (options.Value.AddressFile.Length > 0)
        {
            // Whoever waits for the file must never read half of it.
            var temporary = options.Value.AddressFile + ".tmp";
            File.WriteAllText(temporary, $"grpc={addresses[0]}\nrest={addresses[1]}\n{(agents.Length > 0 ? $"agents={agents}\n" : "")}{(metrics.Length > 0 ? $"metrics={metrics}\n" : "")}");
            File.Move(temporary, options.Value.AddressFile, overwrite: true);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 110, Level = LogLevel.Information, Message = "gRPC on {Grpc}, REST on {Rest}, agents with certificates on {Agents}, metrics on {Metrics}")]
        public static partial void Listening(ILogger logger, string grpc, string rest, string agents, string metrics);
    }
}
