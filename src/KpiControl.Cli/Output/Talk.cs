using System.CommandLine;
using System.CommandLine.Parsing;

namespace KpiControl.Cli.Output;

/// <summary>What kpictl says on standard error.</summary>
internal static class Talk
{
    public static int Refused(Surroundings world, Refusal refusal)
    {
        world.Error.WriteLine($"error: {refusal.Message}");
        if (refusal.Next is not null)
            world.Error.WriteLine($"  next: {refusal.Next}");
        return refusal.ExitCode;
    }

    /// <summary>What is wrong with the command line. An unknown option would otherwise pass as an argument's value.</summary>
    public static string[] Mistakes(ParseResult parsed)
    {
        var unknown = parsed.Tokens.Any(token => token.Type == TokenType.DoubleDash) ? [] : parsed.CommandResult.Children.OfType<ArgumentResult>()
            .SelectMany(argument => argument.Tokens).Where(token => token.Value is ['-', _, ..]).Select(token => $"There is no option {token.Value}.");
        return [.. parsed.Errors.Select(error => error.Message).Concat(unknown).Distinct()];
    }

    public static void Misused(Surroundings world, ParseResult parsed, string[] messages)
    {
        // A misspelt command is also a missing one; the misspelling is what helps.
        foreach (var message in messages.Length > 1 ? messages.Where(message => message != MissingCommand) : messages)
            world.Error.WriteLine($"error: {message}");
        world.Error.WriteLine($"  next: {PathOf(parsed)} --help");
    }

    /// <summary>Text from elsewhere, without what could drive a terminal.</summary>
    public static string OneLine(string text) =>
        text.Any(char.IsControl) ? string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c)) : text;

    /// <summary>Asks on a terminal; elsewhere the command itself is the answer.</summary>
    public static bool Agreed(Surroundings world, bool yes, string question)
    {
        if (yes || !world.CanAsk)
            return true;
        world.Error.Write($"{question} [y/N] ");
        return world.In.ReadLine()?.Trim().ToLowerInvariant() is "y" or "yes";
    }

    private const string MissingCommand = "Required command was not provided.";

    private static string PathOf(ParseResult parsed)
    {
        var names = new List<string>();
        for (var result = parsed.CommandResult; result is not null; result = result.Parent as CommandResult)
            names.Add(result.Command is RootCommand ? "kpictl" : result.Command.Name);
        names.Reverse();
        return string.Join(' ', names);
    }
}
