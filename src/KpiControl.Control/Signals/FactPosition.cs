using System.Globalization;

namespace KpiControl.Control.Signals;

/// <summary>Where a page of published facts ended.</summary>
internal static class FactPosition
{
    public static string Of(PublishedRow row) => string.Create(CultureInfo.InvariantCulture, $"{row.PublishedAt.UtcTicks}|{row.Kind}|{row.Id}");

    public static (DateTimeOffset? At, string Kind, long Id) Parse(string? position)
    {
        if (position is null)
            return (null, "", 0);
        var parts = position.Split('|');
        return (new DateTimeOffset(long.Parse(parts[0], CultureInfo.InvariantCulture), TimeSpan.Zero), parts[1], long.Parse(parts[2], CultureInfo.InvariantCulture));
    }
}
