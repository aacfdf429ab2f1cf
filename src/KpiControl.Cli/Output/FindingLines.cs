using System.Globalization;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Cli.Output;

/// <summary>Findings as compilers write them, so that editors and CI can jump to them.</summary>
internal static class FindingLines
{
    public static void Print(TextWriter to, string file, IEnumerable<Protocol.V1.Finding> findings)
    {
        foreach (var finding in findings)
            to.WriteLine(Line(file, finding.Line, finding.Column, finding.Severity, finding.Rule, finding.Message, finding.Hint));
    }

    public static string Line(string file, Finding finding) =>
        Line(file, finding.Line, finding.Column, Word(finding.Severity), finding.Rule, finding.Message, finding.Hint);

    public static string Word(Severity severity) => severity == Severity.Error ? "error" : "warning";

    /// <summary><c>file:line:col: error rule: message (hint)</c></summary>
    public static string Line(string file, int line, int column, string severity, string rule, string message, string hint)
    {
        var place = line > 0 ? string.Create(CultureInfo.InvariantCulture, $"{file}:{line}:{column}") : file;
        return Talk.OneLine($"{place}: {severity} {rule}: {message}{(hint.Length > 0 ? $" ({hint})" : "")}");
    }
}
