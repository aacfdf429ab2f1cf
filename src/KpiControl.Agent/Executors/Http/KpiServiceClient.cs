using System.Net;
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
        var sockets = GuardedSockets.Make(connection.ConnectTimeout, connection.RootCertificate);
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
}
