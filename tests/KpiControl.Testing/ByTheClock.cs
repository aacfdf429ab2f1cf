using System.Globalization;

namespace KpiControl.Testing;

/// <summary>Schedules chosen by the clock, where one that a test names would be due at another place of the day, the year or the hour than it means.</summary>
public static class ByTheClock
{
    private static readonly DateTime Began = TimeProvider.System.GetUtcNow().UtcDateTime;

    /// <summary>Two hours (UTC) of one and the same day: both still come today, or today is past both and they come tomorrow.</summary>
    public static (int Earlier, int Later) HoursOfOneDay => TimeProvider.System.GetUtcNow().Hour < 12 ? (14, 18) : (2, 6);

    /// <summary>Once a year, half a year from now: nothing of it comes due while a test runs.</summary>
    public static string Yearly { get; } = string.Create(CultureInfo.InvariantCulture, $"0 0 1 {Began.AddMonths(6).Month} *");

    /// <summary>A slot of <see cref="Hourly"/> some minutes before the tests began: the next one comes when they are long over.</summary>
    public static DateTime LastSlot { get; } = new DateTime(Began.Year, Began.Month, Began.Day, Began.Hour, Began.Minute, 0, DateTimeKind.Utc).AddMinutes(-3);

    public static string Daily { get; } = string.Create(CultureInfo.InvariantCulture, $"{LastSlot.Minute} {LastSlot.Hour} * * *");

    public static string Hourly { get; } = string.Create(CultureInfo.InvariantCulture, $"{LastSlot.Minute} * * * *");

    /// <summary><see cref="LastSlot"/> in SQL.</summary>
    public static string LastHour { get; } = string.Create(CultureInfo.InvariantCulture, $"timestamptz '{LastSlot:yyyy-MM-dd'T'HH:mm}:00Z'");
}
