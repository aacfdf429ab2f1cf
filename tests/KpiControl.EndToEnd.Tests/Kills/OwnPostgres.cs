using System.Diagnostics;
using System.Globalization;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.EndToEnd.Tests.Kills;

/// <summary>A PostgreSQL cluster of one test, which it may kill and start again.</summary>
internal sealed class OwnPostgres : IAsyncDisposable
{
    private readonly Process script;
    private readonly string data;
    private readonly int port;

    private OwnPostgres(Process script, string server, string data)
    {
        (this.script, Server, this.data) = (script, server, data);
        port = new NpgsqlConnectionStringBuilder(server).Port;
    }

    /// <summary>The superuser's connection string.</summary>
    public string Server { get; }

    public static async Task<OwnPostgres> StartAsync()
    {
        var start = new ProcessStartInfo("setsid", ["bash", Repository.File("scripts", "test-postgres.sh")])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true,
        };
        var script = Process.Start(start)!;
        var server = await script.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("PostgreSQL did not start");
        await using var source = NpgsqlDataSource.Create(server);
        await using var ask = source.CreateCommand("SHOW data_directory");
        return new OwnPostgres(script, server, (string)(await ask.ExecuteScalarAsync())!);
    }

    /// <summary>SIGKILL to the postmaster; its backends notice and end. Returns once none is left.</summary>
    public async Task KillAsync()
    {
        var pid = int.Parse(File.ReadLines(Path.Combine(data, "postmaster.pid")).First(), CultureInfo.InvariantCulture);
        using var postmaster = Process.GetProcessById(pid);
        // Nobody else's server: its command line names the directory that this test's script made.
        Assert.Contains(data, await File.ReadAllTextAsync($"/proc/{pid}/cmdline"), StringComparison.Ordinal);
        postmaster.Kill();
        await postmaster.WaitForExitAsync();
    }

    /// <summary>Starts it again on the same data and port; while the last backend still ends, PostgreSQL refuses, and is asked again.</summary>
    public Task RestartAsync() => Patience.UntilAsync("PostgreSQL is back", async () =>
    {
        using var start = Process.Start("bash",
            ["-c", ". \"$0\"; pg_start \"$1\" \"$2\" >/dev/null 2>&1", Repository.File("scripts", "dev", "postgres.sh"), data, port.ToString(CultureInfo.InvariantCulture)]);
        await start.WaitForExitAsync();
        return start.ExitCode == 0;
    });

    public async ValueTask DisposeAsync()
    {
        script.StandardInput.Close();
        await script.WaitForExitAsync();
        script.Dispose();
    }
}
