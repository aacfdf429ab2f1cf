using KpiControl.Agent.Leasing;
using Microsoft.Extensions.Time.Testing;

namespace KpiControl.Agent.Tests.Leasing;

public sealed class TrustWindowTests
{
    private static readonly TimeSpan Ttl = TimeSpan.FromSeconds(30);
    private readonly FakeTimeProvider time = new();
    private readonly TrustWindow window;

    public TrustWindowTests() => window = new TrustWindow(time, TimeSpan.FromSeconds(5));

    [Fact]
    public void Nothing_is_trusted_before_the_first_session() => Assert.True(window.Remaining <= TimeSpan.Zero);

    [Fact]
    public void Trust_counts_from_before_hello_was_sent_and_ends_a_margin_early()
    {
        var asked = time.GetTimestamp();
        time.Advance(TimeSpan.FromSeconds(4));
        window.Open(asked, Ttl);

        Assert.Equal(TimeSpan.FromSeconds(21), window.Remaining);
        time.Advance(TimeSpan.FromSeconds(21));
        Assert.Equal(TimeSpan.Zero, window.Remaining);
    }

    [Fact]
    public void An_answer_moves_it_to_when_its_heartbeat_was_sent_not_to_when_it_came()
    {
        window.Open(time.GetTimestamp(), Ttl);
        time.Advance(TimeSpan.FromSeconds(10));
        window.Asked(1);
        time.Advance(TimeSpan.FromSeconds(9));
        window.Answered(1);

        Assert.Equal(TimeSpan.FromSeconds(25 - 9), window.Remaining);
    }

    [Fact]
    public void An_unanswered_heartbeat_moves_nothing()
    {
        window.Open(time.GetTimestamp(), Ttl);
        time.Advance(TimeSpan.FromSeconds(10));
        window.Asked(1);
        window.Asked(2);
        window.Answered(0);

        Assert.Equal(TimeSpan.FromSeconds(15), window.Remaining);
    }

    [Fact]
    public void A_late_answer_never_moves_it_back()
    {
        window.Open(time.GetTimestamp(), Ttl);
        window.Asked(1);
        time.Advance(TimeSpan.FromSeconds(10));
        window.Asked(2);
        window.Answered(2);
        window.Answered(1);

        Assert.Equal(TimeSpan.FromSeconds(25), window.Remaining);
    }

    [Fact]
    public void Silence_is_noticed_while_there_is_time_to_resume()
    {
        window.Open(time.GetTimestamp(), Ttl);
        time.Advance(TimeSpan.FromSeconds(17));

        Assert.True(window.UntilDeaf <= TimeSpan.Zero);
        Assert.True(window.Remaining > TimeSpan.FromSeconds(5));
    }

    [Fact]
    public void A_stopped_process_finds_its_time_used_up()
    {
        window.Open(time.GetTimestamp(), Ttl);
        time.Advance(TimeSpan.FromMinutes(2));

        Assert.True(window.Remaining < TimeSpan.Zero);
    }

    [Fact]
    public void A_short_ttl_leaves_three_quarters_to_trust()
    {
        window.Open(time.GetTimestamp(), TimeSpan.FromSeconds(4));

        Assert.Equal(TimeSpan.FromSeconds(3), window.Remaining);
    }
}
