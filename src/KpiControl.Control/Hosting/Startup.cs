using KpiControl.Control.Database;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Hosting;

internal static class Startup
{
    // The host logs what keeps it from starting with the trace of its own plumbing, before anybody can say it in words.
    private const string HostsOwnLog = "Microsoft.Extensions.Hosting.Internal.Host";

    /// <summary>Leaves it to <see cref="RunOrExplainAsync"/> to say why the host did not start.</summary>
    public static void AddStartup(this WebApplicationBuilder builder)
    {
        var started = new StartedFlag();
        builder.Services.AddSingleton(started);
        builder.Logging.AddFilter(HostsOwnLog, level => started.IsSet && level >= LogLevel.Warning);
    }

    /// <summary>Runs the host; what keeps it from starting is said in a line each, without a stack trace. Exit code 1.</summary>
    public static async Task<int> RunOrExplainAsync(this WebApplication app)
    {
        var started = app.Services.GetRequiredService<StartedFlag>();
        app.Lifetime.ApplicationStarted.Register(started.Set);
        try
        {
            // Before the host does: it would stop at the first service that reads its settings, and log where that was.
            app.Services.GetRequiredService<IStartupValidator>().Validate();
            BackgroundService[] loops = [.. app.Services.GetServices<IHostedService>().OfType<BackgroundService>()];
            await app.RunAsync();
            // The host ends itself, and returns, where a loop of ours broke; before it had started nobody has logged of what.
            if (!started.IsSet && Array.Find(loops, loop => loop.ExecuteTask is { IsFaulted: true }) is { } broken)
                await broken.ExecuteTask!;
            return 0;
        }
        catch (Exception error) when (Mistakes(error) is { Count: > 0 } mistakes)
        {
            foreach (var mistake in mistakes)
                await Console.Error.WriteLineAsync($"kpi-control: {mistake}");
        }
        catch (StartupException error)
        {
            await Console.Error.WriteLineAsync($"kpi-control: {error.Message}");
        }
        catch (Npgsql.NpgsqlException error)
        {
            await Console.Error.WriteLineAsync($"kpi-control: the database refused: {error.Message}. Check the Database:* connection strings and that PostgreSQL runs.");
        }
        catch (IOException error)
        {
            await Console.Error.WriteLineAsync($"kpi-control: {error.Message.TrimEnd('.')}. Check Listen:Grpc and Listen:Rest.");
        }
        return 1;
    }

    /// <summary>Of the settings, each once; empty where it is something else. Mistakes in several sections come as one exception of many.</summary>
    public static IReadOnlyList<string> Mistakes(Exception error) => error switch
    {
        OptionsValidationException options => [.. options.Failures.Select(Short).Distinct()],
        AggregateException all when all.InnerExceptions.All(inner => inner is OptionsValidationException) => [.. all.InnerExceptions.SelectMany(Mistakes).Distinct()],
        _ => [],
    };

    // "DataAnnotation validation failed for 'X' members: 'Y' with the error: 'Z'." → Z
    private static string Short(string failure)
    {
        const string Mark = "with the error: '";
        var at = failure.IndexOf(Mark, StringComparison.Ordinal);
        return at < 0 ? failure : failure[(at + Mark.Length)..].TrimEnd('.', '\'');
    }

    private sealed class StartedFlag
    {
        private volatile bool set;

        public bool IsSet => set;

        public void Set() => set = true;
    }
}
