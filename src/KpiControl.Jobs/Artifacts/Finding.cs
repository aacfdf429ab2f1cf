namespace KpiControl.Jobs.Artifacts;

public enum Severity { Warning, Error }

/// <summary>One thing an author should know about an artifact.</summary>
/// <param name="Path">JSON Pointer to the value, <c>""</c> for the document.</param>
/// <param name="Line">1-based line in the authored text; 0 where there is no text.</param>
/// <param name="Column">1-based column in the authored text; 0 where there is no text.</param>
/// <param name="Rule">Stable identifier, <c>stage.rule</c>: <c>schema.unknown_field</c>, <c>meaning.no_next_occurrence</c>, …</param>
/// <param name="Severity">An error refuses the artifact; a warning does not.</param>
/// <param name="Message">What is wrong, in plain words, without secrets.</param>
/// <param name="Hint">What to do next; may be empty.</param>
public sealed record Finding(string Path, int Line, int Column, string Rule, Severity Severity, string Message, string Hint = "");
