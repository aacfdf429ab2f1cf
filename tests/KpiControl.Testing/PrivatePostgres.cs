using System.Diagnostics;

namespace KpiControl.Testing;

/// <summary>
/// A PostgreSQL server of this test process alone, started by <c>scripts/test-postgres.sh</c>. It ends when the pipe to
/// that script closes, which the kernel does however this process dies.
/// </summary>
internal static class PrivatePostgres
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(90);

    // Held for the life of the process: its standard input is what keeps the server alive.
    private static Process? script;

    /// <returns>The connection string of the server's superuser.</returns>
    public static async Task<string> StartAsync(params string[] settings)
    {
        // A session of its own: Ctrl-C in a terminal must not reach the server before the tests have let go of it.
        var start = new ProcessStartInfo("setsid", ["bash", Repository.File("scripts", "test-postgres.sh"), .. settings])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        script = Process.Start(start)!;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Stop();

        using var limit = new CancellationTokenSource(StartLimit);
        var line = await script.StandardOutput.ReadLineAsync(limit.Token);
        return line ?? throw new InvalidOperationException(
            $"PostgreSQL did not start: {await script.StandardError.ReadToEndAsync(limit.Token)}");
    }

    private static void Stop()
    {
        script!.StandardInput.Close();
        script.WaitForExit(TimeSpan.FromSeconds(10));
    }
}
