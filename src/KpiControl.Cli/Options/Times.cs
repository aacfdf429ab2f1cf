using System.CommandLine.Parsing;
using System.Globalization;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Cli.Options;

/// <summary>Times as people type them: durations (<c>90s</c>, <c>1h30m</c>), dates, and instants or durations from now.</summary>
internal static class Times
{
    public static bool TryDuration(string text, out TimeSpan duration) =>
        Durations.TryParse(text, out duration) && duration > TimeSpan.Zero && duration <= TimeSpan.FromDays(3660);

    /// <summary>An instant (RFC 3339; a date is its midnight in UTC), a duration from now, or how tables say one: <c>in 2h</c>, <c>3d4h ago</c>.</summary>
    public static DateTimeOffset Instant(string text, string option, TimeProvider clock)
    {
        if (TryDuration(text.StartsWith("in ", StringComparison.Ordinal) ? text[3..] : text.TrimStart('+'), out var ahead))
            return clock.GetUtcNow() + ahead;
        if (text.EndsWith(" ago", StringComparison.Ordinal) && TryDuration(text[..^4], out var back))
            return clock.GetUtcNow() - back;
        // describe has both: 2026-01-02 02:00:00Z (3h ago)
        if (text.IndexOf(" (", StringComparison.Ordinal) is > 0 and var aside && text.EndsWith(')'))
            text = text[..aside];
        const DateTimeStyles Utc = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal;
        return DateTimeOffset.TryParseExact(text, InstantForms, CultureInfo.InvariantCulture, Utc, out var instant)
            ? instant
            : throw new Refusal($"{option} '{text}' is not an instant", "give RFC 3339 (2026-01-31T09:00:00Z), a date (2026-01-31) or a duration from now (2h)");
    }

    public static TimeSpan? DurationOption(ArgumentResult result)
    {
        if (TryDuration(result.Tokens[0].Value, out var duration))
            return duration;
        result.AddError($"'{result.Tokens[0].Value}' is not a duration such as 30s, 15m, 2h or 1h30m");
        return null;
    }

    public static string? DateOption(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (!DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _))
            result.AddError($"'{text}' is not a date such as 2026-01-31");
        return text;
    }

    private static readonly string[] InstantForms =
    [
        "yyyy-MM-dd", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK",
        "yyyy-MM-dd HH:mmK", "yyyy-MM-dd HH:mm:ssK", "yyyy-MM-dd HH:mm:ss.FFFFFFFK",
    ];
}
