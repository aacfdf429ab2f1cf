using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Runs;

/// <summary>How long to wait before the next try.</summary>
/// <remarks>Exponential waits have full jitter (uniform from zero), so that what failed together does not return together; fixed ones are exact.</remarks>
public static class RetryPolicy
{
    /// <summary>A service that asks for more than this is not waited for longer.</summary>
    public static readonly TimeSpan LongestRetryAfter = TimeSpan.FromHours(24);

    /// <param name="retrySeq">1 for the first retry.</param>
    /// <param name="jitter01">Uniform in [0, 1].</param>
    /// <param name="retryAfter">What the called service asked for; never undercut.</param>
    public static TimeSpan Delay(JobRetry retry, int retrySeq, double jitter01, TimeSpan? retryAfter = null)
    {
        var own = retry.Backoff switch
        {
            "none" => TimeSpan.Zero,
            "fixed" => Lesser(retry.Initial, retry.Max),
            _ => Lesser(Ceiling(retry, retrySeq) * Math.Clamp(jitter01, 0, 1), retry.Max),
        };
        var asked = Lesser(retryAfter ?? TimeSpan.Zero, LongestRetryAfter);
        return asked > own ? asked : own;
    }

    private static TimeSpan Ceiling(JobRetry retry, int retrySeq)
    {
        // 2^20 initial waits of a millisecond exceed any maximum; a greater power would overflow a TimeSpan.
        var doublings = Math.Clamp(retrySeq - 1, 0, 20);
        return Lesser(TimeSpan.FromTicks((long)Math.Min(retry.Initial.Ticks * Math.Pow(2, doublings), TimeSpan.MaxValue.Ticks / 2.0)), retry.Max);
    }

    private static TimeSpan Lesser(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
