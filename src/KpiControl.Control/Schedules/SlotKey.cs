using System.Globalization;

namespace KpiControl.Control.Schedules;

/// <summary>An occurrence's name within its binding, for ever: how it came about, and when.</summary>
internal static class SlotKey
{
    private const string Instant = "yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'";

    public static string Of(string kind, DateTimeOffset scheduledFor) =>
        string.Create(CultureInfo.InvariantCulture, $"{kind}:{scheduledFor.UtcDateTime.ToString(Instant, CultureInfo.InvariantCulture)}");
}

/// <summary>Why an open occurrence is not leased, in the words that people read; the numbers are the lease's.</summary>
internal static class OpenReason
{
    public static string Word(short? reason) => reason switch
    {
        1 => "dependency",
        2 => "retry",
        3 => "no_agent",
        4 => "no_credit",
        5 => "lease_lost",
        6 => "returned",
        _ => "",
    };
}
