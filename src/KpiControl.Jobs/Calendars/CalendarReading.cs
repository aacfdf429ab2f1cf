using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Calendars;

/// <summary>What came of reading a calendar.</summary>
public sealed record CalendarReading
{
    /// <summary>Null when any finding is an error.</summary>
    public WorkCalendar? Calendar { get; init; }

    /// <summary>RFC 8785 text of what the document means: defaults left out, entries sorted and each once; null together with <see cref="Calendar"/>.</summary>
    public string? CanonicalJson { get; init; }

    /// <summary><c>sha256:…</c> of <see cref="CanonicalJson"/>.</summary>
    public string? Digest { get; init; }

    public required IReadOnlyList<Finding> Findings { get; init; }
}
