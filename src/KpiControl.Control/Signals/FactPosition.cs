using System.Globalization;
using KpiControl.Control.Requests;

namespace KpiControl.Control.Signals;

/// <summary>Where a page of published facts ended.</summary>
internal static class FactPosition
{
    public static string Of(PublishedRow row) => string.Create(CultureInfo.InvariantCulture, $"{row.PublishedAt.UtcTicks}|{row.Kind}|{row.Id}");

    public static (DateTimeOffset? At, string Kind, long Id) Parse(Paging paging)
    {
        if (paging.AfterParts('|', 3) is not { } parts)
            return (null, "", 0);
        return (Paging.Instant(parts[0]), parts[1], Paging.Number(parts[2]));
    }
}
