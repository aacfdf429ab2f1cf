using CsCheck;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Runs;

namespace KpiControl.Jobs.Tests.Runs;

public sealed class RetryPolicyTests
{
    private static readonly JobRetry Default = new() { MaxRetries = 20 };

    [Fact]
    public void Exponential_waits_double_up_to_the_maximum() =>
        Assert.Equal([30, 60, 120, 240, 480, 900, 900], Enumerable.Range(1, 7).Select(n => (int)RetryPolicy.Delay(Default, n, 1).TotalSeconds));

    [Fact]
    public void Jitter_is_full() => Assert.Equal([0d, 15d, 30d], new[] { 0, 0.5, 1 }.Select(j => RetryPolicy.Delay(Default, 1, j).TotalSeconds));

    [Fact]
    public void Fixed_waits_stay_and_none_waits_not()
    {
        Assert.Equal([30d, 30d], new[] { 1, 9 }.Select(n => RetryPolicy.Delay(Default with { Backoff = "fixed" }, n, 0.2).TotalSeconds));
        Assert.Equal(TimeSpan.Zero, RetryPolicy.Delay(Default with { Backoff = "none" }, 3, 1));
    }

    [Fact]
    public void A_retry_after_is_never_undercut_and_never_longer_than_a_day()
    {
        Assert.Equal(TimeSpan.FromHours(1), RetryPolicy.Delay(Default, 1, 1, TimeSpan.FromHours(1)));
        Assert.Equal(TimeSpan.FromSeconds(30), RetryPolicy.Delay(Default, 1, 1, TimeSpan.FromSeconds(1)));
        Assert.Equal(TimeSpan.FromHours(24), RetryPolicy.Delay(Default with { Backoff = "none" }, 1, 1, TimeSpan.FromDays(900)));
    }

    [Fact]
    public void No_wait_is_negative_or_above_the_maximum_for_any_policy() =>
        Gen.Select(Gen.Long[0, TimeSpan.MaxValue.Ticks], Gen.Long[0, TimeSpan.MaxValue.Ticks], Gen.Int[1, 40], Gen.Double[0, 1], Gen.OneOf("none", "fixed", "exponential"))
            .Sample((initial, max, seq, jitter, backoff) =>
            {
                var retry = new JobRetry { Backoff = backoff, Initial = new TimeSpan(initial), Max = new TimeSpan(max) };
                var delay = RetryPolicy.Delay(retry, seq, jitter);
                return delay >= TimeSpan.Zero && delay <= retry.Max;
            });
}
