using System.Security.Claims;
using System.Threading.RateLimiting;
using KpiControl.Control.Hosting;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Security;

/// <summary>So many calls a second for each principal, on this node; who has no valid token has none to spend.</summary>
internal sealed class CallRates(IOptions<LimitOptions> options) : IDisposable
{
    private readonly PartitionedRateLimiter<string> limiter = PartitionedRateLimiter.Create<string, string>(principal =>
        RateLimitPartition.GetTokenBucketLimiter(principal, _ => Bucket(options.Value)));

    public void Demand(ClaimsPrincipal user)
    {
        if (user.Identity?.IsAuthenticated != true || user.FindFirstValue("sub") is not { } principal)
            return;
        // An agent's name may be a person's.
        using var lease = limiter.AttemptAcquire($"{user.Identity.AuthenticationType}:{principal}");
        if (!lease.IsAcquired)
            throw Reject.TooManyCalls(lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.FromSeconds(1));
    }

    public void Dispose() => limiter.Dispose();

    private static TokenBucketRateLimiterOptions Bucket(LimitOptions limits) => new()
    {
        TokenLimit = limits.Burst,
        TokensPerPeriod = limits.CallsPerSecond,
        ReplenishmentPeriod = TimeSpan.FromSeconds(1),
        QueueLimit = 0,
    };
}
