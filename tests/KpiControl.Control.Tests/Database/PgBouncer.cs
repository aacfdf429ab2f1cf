using System.Diagnostics;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Control.Tests.Database;

/// <summary>A pgbouncer that lends its one server connection for a transaction; it ends with this object, or this process.</summary>
internal sealed class PgBouncer : IDisposable
{
    private readonly Process script;

    private PgBouncer(Process script, string connectionString) => (this.script, ConnectionString) = (script, connectionString);

    /// <summary>The login it stands in front of, by way of it.</summary>
    public string ConnectionString { get; }

    public static async Task<PgBouncer> StartAsync(string login, CancellationToken token)
    {
        var direct = new NpgsqlConnectionStringBuilder(login);
        var start = new ProcessStartInfo("setsid", ["bash", Repository.File("scripts", "test-pgbouncer.sh"), $"{direct.Port}", direct.Username!])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, Environment = { ["PGPASSWORD"] = direct.Password },
        };
        var script = Process.Start(start)!;
        var port = await script.StandardOutput.ReadLineAsync(token)
            ?? throw new InvalidOperationException($"pgbouncer did not start: {await script.StandardError.ReadToEndAsync(token)}");
        return new PgBouncer(script, new NpgsqlConnectionStringBuilder(login) { Port = int.Parse(port, System.Globalization.CultureInfo.InvariantCulture) }.ConnectionString);
    }

    public void Dispose()
    {
        script.StandardInput.Close();
        script.WaitForExit(TimeSpan.FromSeconds(10));
        script.Dispose();
    }
}
