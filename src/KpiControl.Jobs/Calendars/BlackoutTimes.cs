using System.Globalization;

namespace KpiControl.Jobs.Calendars;

/// <summary>How the ends of a blackout are written: a local time of the schedule's zone, or an instant with its offset.</summary>
internal static class BlackoutTimes
{
    private static readonly string[] Local = ["yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH:mm:ss"];
    private static readonly string[] Exact = ["yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd'T'HH:mm:ssK"];

    public static bool IsLocal(string text) => LocalTime(text) is not null;

    public static bool IsWritten(string text) => (LocalTime(text) ?? Instant(text)) is { Year: >= 1970 and <= 2100 };

    /// <summary>Of two that are written alike.</summary>
    public static int Compare(string a, string b) => (LocalTime(a) ?? Instant(a))!.Value.CompareTo((LocalTime(b) ?? Instant(b))!.Value);

    /// <summary>Null for an instant.</summary>
    public static DateTime? LocalTime(string text) =>
        DateTime.TryParseExact(text, Local, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var local) ? local : null;

    /// <summary>In UTC; null for what has no offset.</summary>
    public static DateTime? Instant(string text) =>
        DateTimeOffset.TryParseExact(text, Exact, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var exact) ? exact.UtcDateTime : null;
}
