using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Hosting;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Control.Tenants;

/// <summary>Windows and freezes as a request has them, and back.</summary>
internal static class ReleaseHoursFields
{
    private const int MostWindows = 20, MostFreezes = 50, LongestReason = 500;

    private static readonly string[] Week = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    public static IReadOnlyList<ReleaseWindow> Read(Protocol.V1.ReleaseWindows asked)
    {
        DemandAtMost("release_windows", asked.Windows, MostWindows);
        return [.. asked.Windows.Select((window, i) => WeeklyWindow.Read(window.Days, window.From, window.To, window.Timezone, out var mistake) is null
            ? throw Reject.Invalid($"release_windows.windows[{i}].{mistake.Part}", mistake.Message)
            : new ReleaseWindow { Days = [.. Week.Where(window.Days.Contains)], From = window.From, To = window.To, Timezone = window.Timezone })];
    }

    /// <param name="now">The database's. What has ended by then forbids nothing any more and is left out: the policy's history has it.</param>
    public static IReadOnlyList<Freeze> Read(Protocol.V1.Freezes asked, DateTimeOffset now)
    {
        DemandAtMost("freezes", asked.Freezes_, MostFreezes);
        return [.. asked.Freezes_.Select((freeze, i) => Read(freeze, i, now)).Where(freeze => freeze.Until > now).OrderBy(freeze => freeze.From).ThenBy(freeze => freeze.Until)];
    }

    public static int BreakGlassSeconds(Duration life) => life is { Nanos: 0, Seconds: >= 0 and <= 72 * 3600 }
        ? (int)life.Seconds : throw Reject.Invalid("break_glass_for", "is not within 0 (not allowed) and 72 hours, in whole seconds");

    public static Protocol.V1.ReleaseWindow ToProto(this ReleaseWindow window) => new() { Days = { window.Days }, From = window.From, To = window.To, Timezone = window.Timezone };

    public static Protocol.V1.Freeze ToProto(this Freeze freeze) => new() { From = freeze.From.ToTimestamp(), Until = freeze.Until.ToTimestamp(), Reason = freeze.Reason };

    private static Freeze Read(Protocol.V1.Freeze freeze, int i, DateTimeOffset now)
    {
        var at = $"freezes.freezes[{i}]";
        var (from, until) = (freeze.From is null ? now : Instant($"{at}.from", freeze.From), Instant($"{at}.until", freeze.Until));
        if (until <= from)
            throw Reject.Invalid($"{at}.until", "is not after from");
        if (freeze.Reason.Length is 0 or > LongestReason)
            throw Reject.Invalid($"{at}.reason", freeze.Reason.Length == 0 ? "is missing: whoever is refused reads it" : $"is longer than {LongestReason} characters");
        return new Freeze { From = from, Until = until, Reason = freeze.Reason };
    }

    private static DateTimeOffset Instant(string field, Timestamp? value)
    {
        if (value is null)
            throw Reject.Invalid(field, "is missing");
        var at = value.ToDateTimeOffset();
        return at.Year is >= 1990 and < 2100 ? at : throw Reject.Invalid(field, "is not within 1990 to 2099");
    }

    private static void DemandAtMost<T>(string field, IReadOnlyCollection<T> items, int most) where T : IMessage
    {
        if (items.Count > most)
            throw Reject.Invalid(field, $"are more than {most}");
    }
}
