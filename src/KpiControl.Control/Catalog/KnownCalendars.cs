using System.Collections.Concurrent;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;

namespace KpiControl.Control.Catalog;

/// <summary>Calendars that this node has understood, by their text: a version never changes. Bounded by starting over.</summary>
internal static class KnownCalendars
{
    private const int Most = 500;

    private static readonly ConcurrentDictionary<string, WorkCalendar> Known = new(StringComparer.Ordinal);

    /// <returns>Null for none, and for a text that this node cannot read: a schedule that names a calendar is then refused.</returns>
    public static WorkCalendar? Read(string? canonicalJson)
    {
        if (canonicalJson is null)
            return null;
        if (Known.TryGetValue(canonicalJson, out var known))
            return known;
        if (Known.Count >= Most)
            Known.Clear();
        return CalendarReader.Read(canonicalJson, ArtifactFormat.Json).Calendar is { } read ? Known.GetOrAdd(canonicalJson, read) : null;
    }
}
