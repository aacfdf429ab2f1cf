using System.Globalization;
using System.Text.RegularExpressions;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Jobs.Calendars;

/// <summary>Reads a calendar: text to meaning, with everything that is wrong with it, in one call.</summary>
/// <remarks>Pure; never throws, whatever the text; the same limits as for job artifacts.</remarks>
public static partial class CalendarReader
{
    public const int MostEntries = 2000, MostBlackouts = 500, LongestRange = 366;

    public static CalendarReading Read(string text, ArtifactFormat format)
    {
        var findings = new FindingList();
        return ArtifactText.TryEncode(text, findings, out var bytes) ? Read(bytes, format) : new CalendarReading { Findings = findings.ToList() };
    }

    /// <param name="text">UTF-8, with or without a byte order mark.</param>
    public static CalendarReading Read(ReadOnlyMemory<byte> text, ArtifactFormat format)
    {
        var findings = new FindingList();
        var root = DocumentReader.Read(text.Span, format, findings, out _);
        if (root is { Kind: not NodeKind.Object }) findings.Error("calendar.type", root, "A calendar is an object with calendar, its name.");
        if (root is null || findings.HasErrors) return new CalendarReading { Findings = findings.ToList() };
        var document = new CalendarDocument(root, findings);
        if (findings.HasErrors) return new CalendarReading { Findings = findings.ToList() };
        var canonical = Jcs.Write(document.ToCanonical());
        return new CalendarReading
        {
            Calendar = document.ToCalendar(), CanonicalJson = canonical, Digest = ContentHash.OfCanonicalJson(canonical), Findings = findings.ToList(),
        };
    }

    /// <summary>Whether a document is meant as a calendar and not as a job: it says <c>calendar</c> at the top.</summary>
    public static bool IsCalendar(ReadOnlyMemory<byte> text, ArtifactFormat format) => text.Span.IndexOf("job_id"u8) < 0 && text.Span.IndexOf("calendar"u8) >= 0
        && DocumentReader.Read(text.Span, format, new FindingList(), out _) is { Kind: NodeKind.Object } root && root["calendar"] is not null && root["job_id"] is null;

    /// <summary>A name, as a job says it in <c>schedule.calendar</c>.</summary>
    public static bool IsName(string text) => Name().IsMatch(text);

    internal static DateOnly? Date(string text) =>
        DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date) && date.Year is >= 1970 and <= 2100 ? date : null;

    [GeneratedRegex(@"^[a-z][a-z0-9_-]{0,62}\z", RegexOptions.CultureInvariant)]
    internal static partial Regex Name();
}
