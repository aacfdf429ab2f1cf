using KpiControl.Cli.Authoring;
using KpiControl.Cli.Output;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;

namespace KpiControl.Cli.Calendars;

/// <summary>Calendars in files.</summary>
internal static class CalendarFiles
{
    /// <summary>Its meaning; refused with the first of its mistakes.</summary>
    public static WorkCalendar Read(string file)
    {
        var reading = CalendarReader.Read(FileSet.Read(file), ArtifactFormats.OfPath(file));
        return reading.Calendar ?? throw new Refusal(FindingLines.Line(file, reading.Findings.First(finding => finding.Severity == Severity.Error)), $"kpictl validate {file} says all of them");
    }
}
