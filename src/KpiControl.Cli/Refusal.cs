namespace KpiControl.Cli;

/// <summary>
/// Ends a command with what is wrong and what to do next. An exception, though expected: it leaves a command from any
/// depth, and <see cref="Kpictl"/> is the one place that prints it.
/// </summary>
internal sealed class Refusal(string message, string? next = null, int exitCode = ExitCode.UsageOrCancelled) : Exception(message)
{
    public string? Next { get; } = next;
    public int ExitCode { get; } = exitCode;
}
