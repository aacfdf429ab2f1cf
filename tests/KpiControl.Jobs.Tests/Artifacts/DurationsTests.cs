using CsCheck;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Tests.Artifacts;

public sealed class DurationsTests
{
    [Theory]
    [InlineData("90s", "1m30s")]
    [InlineData("24h", "1d")]
    [InlineData("7d", "7d")]
    [InlineData("1h30m", "1h30m")]
    [InlineData("1440m", "1d")]
    [InlineData("P1D", "1d")]
    [InlineData("P1W", "7d")]
    [InlineData("PT36H", "1d12h")]
    [InlineData("P1DT1H1M1S", "1d1h1m1s")]
    [InlineData("0m", "0s")]
    [InlineData("007h", "7h")]
    public void One_length_has_one_spelling(string written, string canonical)
    {
        Assert.Equal(canonical, Durations.Canonical(written));
        Assert.True(Durations.TryParse(written, out var length));
        Assert.Equal(canonical, Durations.Format(length));
    }

    [Theory]
    [InlineData("")]
    [InlineData("24")]
    [InlineData("h")]
    [InlineData("1h1d")]
    [InlineData("1h 30m")]
    [InlineData("1.5h")]
    [InlineData("-1h")]
    [InlineData("1H")]
    [InlineData("P")]
    [InlineData("PT")]
    [InlineData("P1DT")]
    [InlineData("P1M")]
    [InlineData("P1Y")]
    [InlineData("1h\n")]
    [InlineData("١h")]
    public void What_is_no_duration_is_refused(string written) => Assert.False(Durations.TryParse(written, out _));

    [Fact]
    public void Every_whole_length_comes_back() =>
        Gen.Int[0, int.MaxValue].Sample(s => Durations.TryParse(Durations.Format(TimeSpan.FromSeconds(s)), out var back) && back == TimeSpan.FromSeconds(s));
}
