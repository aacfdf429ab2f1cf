using System.Globalization;
using Google.Rpc;
using KpiControl.Control.Hosting;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Plans;
using Finding = KpiControl.Jobs.Artifacts.Finding;

namespace KpiControl.Control.Requests;

/// <summary>Findings as the wire has them: in answers, and as what is wrong with a field.</summary>
internal static class FindingMapping
{
    public static Protocol.V1.Finding ToProto(this Finding finding) => new()
    {
        Path = finding.Path, Line = finding.Line, Column = finding.Column, Rule = finding.Rule,
        Severity = finding.Severity == Severity.Error ? "error" : "warning", Message = finding.Message, Hint = finding.Hint,
    };

    public static Protocol.V1.BreakingReason ToProto(this BreakingReason reason) => new() { Rule = reason.Rule, Path = reason.Path, Message = reason.Message };

    /// <summary>Refuses where any finding is an error, with all of them; warnings go with the answer.</summary>
    public static void DemandNoErrors(IReadOnlyList<Finding> findings)
    {
        if (findings.Any(finding => finding.Severity == Severity.Error))
            throw Reject.Invalid(findings.Where(finding => finding.Severity == Severity.Error).Select(ToViolation));
    }

    private static BadRequest.Types.FieldViolation ToViolation(Finding finding) => new()
    {
        Field = finding.Rule switch
        {
            // These stand beside the text, in the request.
            "policy.region" => "region",
            "template.parameter" => $"values.{finding.Path[1..]}",
            _ => finding.Path,
        },
        // As validate and the documentation spell it; UPPER_SNAKE is for ErrorInfo's reason.
        Reason = finding.Rule,
        Description = (finding.Line > 0 ? string.Create(CultureInfo.InvariantCulture, $"line {finding.Line}, column {finding.Column}: ") : "")
            + finding.Message + (finding.Hint.Length > 0 ? " " + finding.Hint : ""),
    };
}
