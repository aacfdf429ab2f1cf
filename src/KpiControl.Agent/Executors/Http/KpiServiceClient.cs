using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using KpiControl.Agent.Connections;
using Microsoft.Extensions.Http.Resilience;
using Polly;

namespace KpiControl.Agent.Executors.Http;

/// <summary>The client of one KPI service: its own transport retries, no redirects, no proxy, no address that is never called.</summary>
internal static class KpiServiceClient
{
    private const int Retries = 3;
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(200);

    public static HttpClient Make(Connection connection, TimeProvider time)
    {
        var sockets = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            // A KPI service stands in the agent's region. Behind a proxy nobody here would see where its name leads.
            UseProxy = false,
            ConnectTimeout = connection.ConnectTimeout,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            ConnectCallback = ConnectAsync,
        };
        if (connection.RootCertificate is { } file)
            sockets.SslOptions.CertificateChainPolicy = Trusting(file);
        // The attempt's deadline ends a call; the client's own would end it earlier.
        return new HttpClient(new ResilienceHandler(Pipeline(time)) { InnerHandler = sockets }) { Timeout = Timeout.InfiniteTimeSpan };
    }

    // The idempotency key makes a repeated POST safe. A service that says when to come back is not asked again before.
    private static ResiliencePipeline<HttpResponseMessage> Pipeline(TimeProvider time) =>
        new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time }
            .AddRetry(new HttpRetryStrategyOptions
            {
                MaxRetryAttempts = Retries, Delay = FirstWait, BackoffType = DelayBackoffType.Exponential, UseJitter = true,
                ShouldHandle = attempt => ValueTask.FromResult(attempt.Outcome switch
                {
                    { Exception: HttpRequestException { InnerException: not AddressRefusedException } } => true,
                    { Result: { StatusCode: HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout } answer } => answer.Headers.RetryAfter is null,
                    _ => false,
                }),
            })
            .Build();

    // A name is resolved here, so that what was checked is what is connected to.
    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken token)
    {
        var addresses = await Addresses.ResolveAsync(context.DnsEndPoint.Host, token);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, context.DnsEndPoint.Port, token);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static X509ChainPolicy Trusting(string file)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.ImportFromPemFile(file);
        return policy;
    }
}
