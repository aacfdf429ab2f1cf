using KpiControl.Agent.Outbox;
using Microsoft.Extensions.Options;

namespace KpiControl.Agent.Hosting;

/// <summary>Runs the agent and turns what keeps it from starting into one line and exit code 1.</summary>
internal static class AgentHost
{
    public static async Task<int> RunAsync(IHost host)
    {
        try
        {
            // Before the host starts, which would log every mistake with its stack.
            host.Services.GetRequiredService<IStartupValidator>().Validate();
            host.Services.GetRequiredService<Outbox.Outbox>().Open();
            await host.Services.GetRequiredService<HealthEndpoint>().StartAsync(CancellationToken.None);
            var exit = host.Services.GetRequiredService<AgentExit>();
            exit.ListenToSignals();
            await host.RunAsync();
            return exit.Code;
        }
        catch (Exception e) when (Problems(e) is { Count: > 0 } problems)
        {
            await Console.Error.WriteLineAsync("kpi-agent cannot start: " + string.Join(" ", problems));
            return 1;
        }
    }

    /// <summary>Everything the operator has to mend, all at once; empty when the exception is none of the expected ones.</summary>
    internal static IReadOnlyList<string> Problems(Exception e) => e switch
    {
        AggregateException all when all.InnerExceptions.All(inner => Problems(inner).Count > 0) => [.. all.InnerExceptions.SelectMany(Problems)],
        OptionsValidationException options => [.. options.Failures.Select(Words)],
        OutboxUnavailableException outbox => [outbox.Message.ReplaceLineEndings(" ")],
        InvalidOperationException { InnerException: FormatException or ArgumentException or OverflowException } binding => [binding.Message.ReplaceLineEndings(" ")],
        InvalidDataException or FormatException => [e.Message.ReplaceLineEndings(" ")],
        _ => [],
    };

    // "DataAnnotation validation failed for 'X' members: 'Y' with the error: 'words'." — the words name the setting already.
    private static string Words(string failure)
    {
        const string before = "with the error: '";
        var at = failure.IndexOf(before, StringComparison.Ordinal);
        return at < 0 ? failure : failure[(at + before.Length)..].TrimEnd('.').TrimEnd('\'');
    }
}
