using System.Globalization;
using KpiControl.Control.Tenants;

namespace KpiControl.Control.Tests.Tenants;

public sealed class ReleaseHoursTests
{
    private static readonly ReleaseWindow OfficeHours = new() { Days = ["mon", "tue", "wed", "thu", "fri"], From = "09:00", To = "16:00", Timezone = "UTC" };

    // 2026-12-21 is a Monday.
    [Theory]
    [InlineData("2026-12-18T10:00Z", null, null)]
    [InlineData("2026-12-18T16:00Z", "CHANGE_WINDOW", "2027-01-04T12:00Z")]
    [InlineData("2026-12-22T10:00Z", "FREEZE", "2027-01-04T12:00Z")]
    [InlineData("2027-01-04T11:59Z", "FREEZE", "2027-01-04T12:00Z")]
    [InlineData("2027-01-04T12:00Z", null, null)]
    [InlineData("2027-01-04T16:00Z", "CHANGE_WINDOW", "2027-01-05T09:00Z")]
    public void A_release_waits_for_the_end_of_all_freezes_and_the_window_after_it(string now, string? reason, string? until)
    {
        // They overlap; the second ends within a window.
        var hours = new ReleaseHours([OfficeHours], [Freeze("2026-12-19T00:00Z", "2026-12-25T00:00Z"), Freeze("2026-12-23T00:00Z", "2027-01-04T12:00Z")]);

        var hold = hours.HoldAt(At(now));

        Assert.Equal(reason, hold?.Reason);
        Assert.Equal(until is null ? null : At(until), hold?.Until);
    }

    [Fact]
    public void A_freeze_that_ends_outside_of_the_windows_holds_until_the_next_of_them()
    {
        var hours = new ReleaseHours([OfficeHours, OfficeHours with { Days = ["sun"], From = "20:00", To = "22:00" }], [Freeze("2026-12-19T00:00Z", "2026-12-20T00:00Z")]);

        Assert.Equal(At("2026-12-20T20:00Z"), hours.HoldAt(At("2026-12-19T12:00Z"))!.Until);
    }

    [Fact]
    public void Without_windows_and_freezes_everything_may_be_released_at_any_time() =>
        Assert.Null(ReleaseHours.Of(null, null).HoldAt(At("2026-12-19T12:00Z")));

    [Fact]
    public void Who_is_refused_reads_which_freeze_why_and_until_when() =>
        Assert.Equal("the freeze from 2026-12-19 00:00:00Z until 2026-12-25 00:00:00Z (year end)",
            new ReleaseHours([], [Freeze("2026-12-19T00:00Z", "2026-12-25T00:00Z")]).HoldAt(At("2026-12-19T12:00Z"))!.By);

    private static Freeze Freeze(string from, string until) => new() { From = At(from), Until = At(until), Reason = "year end" };

    private static DateTimeOffset At(string instant) => DateTimeOffset.Parse(instant, CultureInfo.InvariantCulture);
}
