using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Tests.Schedules;

public sealed class WeeklyWindowTests
{
    // 2026-03-29 and 2026-10-25 are the Sundays on which Berlin's clock skips and repeats the hour from 02:00.
    [Theory]
    // Friday, Saturday; the end is not included.
    [InlineData("mon-fri", "09:00", "16:00", "UTC", "2026-01-02T08:59Z", "2026-01-02T09:00Z")]
    [InlineData("mon-fri", "09:00", "16:00", "UTC", "2026-01-02T15:59Z", "2026-01-02T15:59Z")]
    [InlineData("mon-fri", "09:00", "16:00", "UTC", "2026-01-02T16:00Z", "2026-01-05T09:00Z")]
    // In the zone's own time.
    [InlineData("mon-fri", "09:00", "16:00", "Europe/Berlin", "2026-03-27T16:00Z", "2026-03-30T07:00Z")]
    [InlineData("mon-fri", "09:00", "16:00", "Europe/Berlin", "2026-10-23T16:00Z", "2026-10-26T08:00Z")]
    // Over midnight the day is the one on which it began.
    [InlineData("fri", "22:00", "04:00", "UTC", "2026-01-03T03:59Z", "2026-01-03T03:59Z")]
    [InlineData("fri", "22:00", "04:00", "UTC", "2026-01-03T04:00Z", "2026-01-09T22:00Z")]
    [InlineData("fri", "22:00", "04:00", "UTC", "2026-01-02T03:00Z", "2026-01-02T22:00Z")]
    [InlineData("", "00:00", "24:00", "Asia/Kathmandu", "2026-01-02T18:15Z", "2026-01-02T18:15Z")]
    [InlineData("sat", "23:00", "24:00", "Asia/Kathmandu", "2026-01-03T17:14Z", "2026-01-03T17:15Z")]
    // Its beginning is skipped: it opens where the clock goes on.
    [InlineData("sun", "02:30", "04:00", "Europe/Berlin", "2026-03-29T00:59Z", "2026-03-29T01:00Z")]
    // All of it is skipped: the next is a week later.
    [InlineData("sun", "02:15", "02:45", "Europe/Berlin", "2026-03-29T00:00Z", "2026-04-05T00:15Z")]
    // It comes twice.
    [InlineData("sun", "02:15", "02:45", "Europe/Berlin", "2026-10-25T00:00Z", "2026-10-25T00:15Z")]
    [InlineData("sun", "02:15", "02:45", "Europe/Berlin", "2026-10-25T00:50Z", "2026-10-25T01:15Z")]
    [InlineData("sun", "02:15", "02:45", "Europe/Berlin", "2026-10-25T01:50Z", "2026-11-01T01:15Z")]
    // Over the change it lasts an hour less, or more.
    [InlineData("sat", "22:00", "04:00", "Europe/Berlin", "2026-03-29T01:59Z", "2026-03-29T01:59Z")]
    [InlineData("sat", "22:00", "04:00", "Europe/Berlin", "2026-03-29T02:00Z", "2026-04-04T20:00Z")]
    [InlineData("sat", "22:00", "04:00", "Europe/Berlin", "2026-10-25T02:59Z", "2026-10-25T02:59Z")]
    public void The_wall_clock_decides_and_the_first_instant_inside_is_found(string days, string from, string to, string zone, string instant, string first)
    {
        var window = WeeklyWindow.Read(Days(days), from, to, zone, out _);

        Assert.Equal(JobScheduleTests.At(first), window!.FirstInside(JobScheduleTests.At(instant)));
    }

    [Theory]
    [InlineData("funday", "09:00", "16:00", "UTC", "days", "'funday'")]
    [InlineData("", "9:00", "16:00", "UTC", "from", "'9:00'")]
    [InlineData("", "24:00", "16:00", "UTC", "from", "'24:00'")]
    [InlineData("", "09:00", "24:01", "UTC", "to", "'24:01'")]
    [InlineData("", "09:00", "16:60", "UTC", "to", "'16:60'")]
    [InlineData("", "09:00", "09:00", "UTC", "to", "00:00 to 24:00")]
    [InlineData("", "09:00", "16:00", "Europe/Berlln", "timezone", "'Europe/Berlln'")]
    public void A_mistake_names_its_part(string days, string from, string to, string zone, string part, string says)
    {
        Assert.Null(WeeklyWindow.Read(Days(days), from, to, zone, out var mistake));
        Assert.Equal(part, mistake.Part);
        Assert.Contains(says, mistake.Message, StringComparison.Ordinal);
    }

    private static string[] Days(string days) => days switch { "" => [], "mon-fri" => ["mon", "tue", "wed", "thu", "fri"], _ => days.Split(',') };
}
