using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace KpiControl.Jobs.Artifacts;

/// <summary>Durations as authors write them: <c>90s</c>, <c>24h</c>, <c>7d</c>, <c>1h30m</c>, or ISO 8601 without months and years.</summary>
/// <remarks>Whole seconds; a day is 24 hours. One canonical form: the largest unit first, <c>1d</c> for <c>24h</c>.</remarks>
public static partial class Durations
{
    private static readonly (string Unit, long Seconds)[] Units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = default;
        if (TrySeconds(text) is not { } seconds || seconds > TimeSpan.MaxValue.Ticks / TimeSpan.TicksPerSecond) return false;
        duration = TimeSpan.FromSeconds(seconds);
        return true;
    }

    /// <summary>The one spelling of a duration: <c>1d2h</c>, <c>1h30m</c>, <c>0s</c>.</summary>
    public static string Format(TimeSpan duration) => Format((long)duration.TotalSeconds);

    /// <summary>The one spelling of what <paramref name="text"/> says; the text itself where it is no duration.</summary>
    public static string Canonical(string text) => TrySeconds(text) is { } seconds ? Format(seconds) : text;

    private static string Format(long seconds)
    {
        if (seconds == 0) return "0s";
        var text = new StringBuilder();
        foreach (var (unit, size) in Units)
        {
            if (seconds >= size) text.Append(CultureInfo.InvariantCulture, $"{seconds / size}{unit}");
            seconds %= size;
        }

        return text.ToString();
    }

    private static long? TrySeconds(string text)
    {
        if (text.Length == 0) return null;
        var match = text[0] == 'P' ? Iso().Match(text) : Short().Match(text);
        if (!match.Success) return null;
        long Group(string name) => match.Groups[name] is { Success: true } g ? long.Parse(g.ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture) : 0;
        return (((Group("w") * 7) + Group("d")) * 86_400) + (Group("h") * 3_600) + (Group("m") * 60) + Group("s");
    }

    [GeneratedRegex(@"^(?=[0-9])(?:(?<d>[0-9]{1,9})d)?(?:(?<h>[0-9]{1,9})h)?(?:(?<m>[0-9]{1,9})m)?(?:(?<s>[0-9]{1,9})s)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Short();

    [GeneratedRegex(@"^P(?:(?<w>[0-9]{1,9})W|(?=[0-9T])(?:(?<d>[0-9]{1,9})D)?(?:T(?=[0-9])(?:(?<h>[0-9]{1,9})H)?(?:(?<m>[0-9]{1,9})M)?(?:(?<s>[0-9]{1,9})S)?)?)\z", RegexOptions.CultureInvariant)]
    private static partial Regex Iso();
}
