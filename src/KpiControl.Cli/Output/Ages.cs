using System.Globalization;
using Google.Protobuf.WellKnownTypes;

namespace KpiControl.Cli.Output;

/// <summary>Times for people: how long ago, in how long; absolute ones are UTC.</summary>
internal static class Ages
{
    public static string Relative(Timestamp? at, DateTimeOffset now)
    {
        if (at is null)
            return "-";
        var instant = at.ToDateTimeOffset();
        return instant <= now ? Past(instant, now) : $"in {Span(instant - now)}";
    }

    public static string Past(DateTimeOffset at, DateTimeOffset now) =>
        now - at < TimeSpan.FromSeconds(1) ? "just now" : $"{Span(now - at)} ago";

    public static string Absolute(Timestamp? at) =>
        at is null ? "-" : at.ToDateTimeOffset().UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>Both, for one job's or run's own page.</summary>
    public static string Both(Timestamp? at, DateTimeOffset now) => at is null ? "-" : $"{Absolute(at)} ({Relative(at, now)})";

    /// <summary>The one or two largest units: <c>3d4h</c>, <c>12m</c>, <c>1.4s</c>.</summary>
    public static string Span(TimeSpan span) => span switch
    {
        { TotalMilliseconds: < 1000 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds:0}ms"),
        { TotalSeconds: < 10 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.#}s"),
        { TotalSeconds: < 60 } => string.Create(CultureInfo.InvariantCulture, $"{(int)span.TotalSeconds}s"),
        { TotalMinutes: < 60 } => Units((int)span.TotalMinutes, 'm', span.TotalMinutes < 10 ? span.Seconds : 0, 's'),
        { TotalHours: < 48 } => Units((int)span.TotalHours, 'h', span.TotalHours < 10 ? span.Minutes : 0, 'm'),
        _ => Units((int)span.TotalDays, 'd', span.TotalDays < 10 ? span.Hours : 0, 'h'),
    };

    private static string Units(int large, char largeUnit, int small, char smallUnit) =>
        small == 0 ? string.Create(CultureInfo.InvariantCulture, $"{large}{largeUnit}") : string.Create(CultureInfo.InvariantCulture, $"{large}{largeUnit}{small}{smallUnit}");
}
