using System.Text;

namespace KpiControl.Cli;

/// <summary>What kpictl sees of the world: streams, variables, the clock. Tests hand in their own.</summary>
internal sealed class Surroundings
{
    public required TextWriter Out { get; init; }
    public required TextWriter Error { get; init; }
    public required TextReader In { get; init; }
    public bool OutIsTerminal { get; init; }
    public bool ErrorIsTerminal { get; init; }
    public bool InIsTerminal { get; init; }
    public required Func<string, string?> Variable { get; init; }
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>See no-color.org: set and not empty means no colour.</summary>
    public bool Colour => OutIsTerminal && string.IsNullOrEmpty(Variable("NO_COLOR")) && Variable("TERM") != "dumb";

    public bool CanAsk => InIsTerminal && ErrorIsTerminal;

    public string? Set(string variable) => Variable(variable) is { Length: > 0 } value ? value : null;

    public static Surroundings OfProcess() => new()
    {
        // Not Console.Out: it flushes every line, and thousands of findings take seconds.
        Out = Console.IsOutputRedirected
            ? new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), 16 * 1024)
            : Console.Out,
        Error = Console.Error,
        In = Console.In,
        OutIsTerminal = !Console.IsOutputRedirected,
        ErrorIsTerminal = !Console.IsErrorRedirected,
        InIsTerminal = !Console.IsInputRedirected,
        Variable = Environment.GetEnvironmentVariable,
    };
}
