using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using KpiControl.Agent.Connections;
using KpiControl.Agent.Executors;
using KpiControl.Agent.Executors.Sql;
using KpiControl.Agent.Secrets;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Agent.Tests.Executors;

/// <summary>A PostgreSQL warehouse that speaks TLS, with a certificate of an authority of the test.</summary>
public sealed class TlsWarehouseTests : IAsyncLifetime
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("kpi-tls-");
    private Process script = null!;
    private NpgsqlConnectionStringBuilder server = null!;

    public async ValueTask InitializeAsync()
    {
        script = Process.Start(new ProcessStartInfo("setsid", ["bash", Repository.File("scripts", "test-postgres.sh")]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        server = new NpgsqlConnectionStringBuilder(await script.StandardOutput.ReadLineAsync());
        await using var superuser = new NpgsqlConnection(server.ConnectionString + ";Pooling=false");
        await superuser.OpenAsync();
        var (authority, certificate, key) = TestPki.Make();
        await File.WriteAllTextAsync(Path.Combine(directory.FullName, "ca.pem"), authority);
        await File.WriteAllTextAsync(Path.Combine(directory.FullName, "other.pem"), TestPki.Make().Authority);
        // The server writes them itself: they must be its own user's, and readable by nobody else.
        foreach (var (file, text) in new[] { ("server.crt", certificate), ("server.key", key) })
            await RunAsync(superuser, $"COPY (SELECT unnest(string_to_array('{text.Trim()}', E'\\n'))) TO PROGRAM 'umask 077; cat > {file}'");
        await RunAsync(superuser, "ALTER SYSTEM SET ssl = on");
        await RunAsync(superuser, "SELECT pg_reload_conf()");
        await RunAsync(superuser, "CREATE TABLE gdp_electricitygeneration (year date, source text, net_generation bigint)");
        await RunAsync(superuser, "INSERT INTO gdp_electricitygeneration SELECT DATE '2001-01-01', s, 100 FROM unnest(ARRAY['Renewables', 'Nuclear Energy', 'Fossil Fuels']) AS s");
        await UntilTlsAsync();
    }

    public async ValueTask DisposeAsync()
    {
        script.StandardInput.Close();
        await script.WaitForExitAsync();
        script.Dispose();
        directory.Delete(recursive: true);
    }

    [Fact]
    public async Task A_certificate_of_the_connections_authority_is_verified_and_the_values_go_over_TLS()
    {
        var outcome = await ExecuteAsync("ca.pem");
        Assert.True(outcome.Status == "success", outcome.ErrorMessage);
        await using var superuser = new NpgsqlConnection(server.ConnectionString + ";Pooling=false");
        await superuser.OpenAsync();
        await using var count = new NpgsqlCommand("SELECT count(*) FROM kpi_values", superuser);
        Assert.Equal(1L, await count.ExecuteScalarAsync());
    }

    [Fact]
    public async Task Another_authoritys_certificate_is_refused_and_nothing_is_asked()
    {
        var outcome = await ExecuteAsync("other.pem");
        Assert.Equal(("failed", "access", "UNAUTHENTICATED"), (outcome.Status, outcome.ErrorCategory, outcome.ErrorCode));
        Assert.Contains("root_certificate", outcome.ErrorMessage, StringComparison.Ordinal);
    }

    // Names under .test are nobody's: were the driver to ask for one itself, it would find nothing.
    [Fact]
    public async Task What_was_checked_is_what_is_connected_to_and_the_certificate_is_asked_for_the_name()
    {
        var asked = new List<string>();
        await using var warehouse = Named("warehouse.test", host =>
        {
            asked.Add(host);
            // Nobody listens at the first address.
            return [IPAddress.Parse("127.0.0.9"), IPAddress.Loopback];
        });
        await using var connection = await warehouse.OpenAsync(server.Password, CancellationToken.None);

        Assert.Equal(["warehouse.test"], asked);
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        Assert.Equal(true, await command.ExecuteScalarAsync());
    }

    [Fact]
    public async Task A_certificate_that_is_the_addresss_and_not_the_names_is_refused()
    {
        await using var warehouse = Named("other.test", _ => [IPAddress.Loopback]);
        var refused = await Assert.ThrowsAnyAsync<NpgsqlException>(() => warehouse.OpenAsync(server.Password, CancellationToken.None));
        Assert.Contains("not for its host", warehouse.Explain(refused).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_leads_nowhere_is_said_to()
    {
        await using var warehouse = Named("nowhere.test", _ => throw new SocketException((int)SocketError.HostNotFound));
        var unknown = await Assert.ThrowsAnyAsync<NpgsqlException>(() => warehouse.OpenAsync(server.Password, CancellationToken.None));
        Assert.Equal("SQL_ERROR", warehouse.Explain(unknown).Error.Code);
    }

    private PostgresWarehouse Named(string host, Func<string, IPAddress[]> resolve) => new(new Connection
    {
        ConnId = "default", Driver = Driver.PostgreSql, Endpoint = $"postgresql://{host}:{server.Port}/postgres", User = "postgres", RootCertificate = Path.Combine(directory.FullName, "ca.pem"),
    }, (name, _) => Task.FromResult(resolve(name)));

    private async Task<Outcome> ExecuteAsync(string authority)
    {
        Environment.SetEnvironmentVariable("KPI_TEST_TLS_PASSWORD", server.Password);
        await using var registry = new ExecutorRegistry(
        [
            new Connection
            {
                ConnId = "default", Driver = Driver.PostgreSql, Endpoint = $"postgresql://127.0.0.1:{server.Port}/postgres", User = "postgres",
                Credential = new SecretReference("env", "KPI_TEST_TLS_PASSWORD"), RootCertificate = Path.Combine(directory.FullName, authority),
            },
        ], new SecretsInHand(), TimeProvider.System);
        return await registry.For("default")!.ExecuteAsync(Samples.Lease("renewable_share_yearly.yaml", "2017-12-31"), default, default);
    }

    // The postmaster reads its settings again in its own time.
    private async Task UntilTlsAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            await using var over = new NpgsqlConnection(server.ConnectionString + ";Pooling=false;SSL Mode=Require");
            try
            {
                await over.OpenAsync(limit.Token);
                return;
            }
            catch (NpgsqlException)
            {
                await tick.WaitForNextTickAsync(limit.Token);
            }
        }
    }

    private static async Task RunAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
