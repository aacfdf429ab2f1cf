using System.Diagnostics;
using KpiControl.Control.Database;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Testing;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KpiControl.Control.Tests.Database;

/// <summary>A server of this test's own: every commit on it waits for a standby that is not there.</summary>
public sealed class CommitDoubtTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_commit_whose_wait_for_the_standby_was_cut_off_is_in_doubt_until_the_standby_has_it()
    {
        using var script = Process.Start(new ProcessStartInfo("setsid", ["bash", Repository.File("scripts", "test-postgres.sh")])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var server = await script.StandardOutput.ReadLineAsync(Token);
        await using var source = NpgsqlDataSource.Create($"{server};Command Timeout=1");
        await ExecuteAsync(source, "CREATE TABLE t (x int)");
        await StandbyAsync(source, "nobody");
        await using var connection = await source.OpenConnectionAsync(Token);
        using var doubt = new CommitDoubt(connection);

        await using (var insert = new NpgsqlCommand("INSERT INTO t VALUES (1)", connection))
            Assert.Equal(1, await insert.ExecuteNonQueryAsync(Token)); // As if all were well.
        var resolved = doubt.ResolveAsync(Token);
        Assert.NotSame(resolved, await Task.WhenAny(resolved, CommitOfAnotherAsync(source)));
        await StandbyAsync(source, "");
        await resolved;

        await doubt.ResolveAsync(Token);

        // What another committed, as far as this one can see.
        await StandbyAsync(source, "nobody");
        await using var later = await source.OpenConnectionAsync(Token);
        using var found = new CommitDoubt(later);
        found.Raise();
        var settled = found.ResolveAsync(Token);
        Assert.NotSame(settled, await Task.WhenAny(settled, CommitOfAnotherAsync(source)));
        await StandbyAsync(source, "");
        await settled;
        await RequestsAsync(source, server!);
        script.StandardInput.Close();
        await script.WaitForExitAsync(Token);
    }

    // What a request did, and what it found of an earlier try, is told when the standby has it.
    private static async Task RequestsAsync(NpgsqlDataSource source, string server)
    {
        await using var databases = new Databases(Options.Create(new DatabaseOptions { Requests = $"{server};Command Timeout=1", Scheduler = server }));
        await StandbyAsync(source, "nobody");
        await using (var request = await BeginAsync(databases))
        {
            await request.ExecuteAsync("INSERT INTO t VALUES (3)");
            await WaitsForTheStandbyAsync(source, request.CommitAsync());
        }
        await StandbyAsync(source, "nobody");
        await using var repeated = await BeginAsync(databases);
        Assert.Equal(1, await repeated.FindAsync<int>("SELECT count(*)::int FROM t WHERE x = 3"));
        await WaitsForTheStandbyAsync(source, repeated.SettleAsync());
    }

    private static async Task WaitsForTheStandbyAsync(NpgsqlDataSource source, Task told)
    {
        Assert.NotSame(told, await Task.WhenAny(told, CommitOfAnotherAsync(source)));
        await StandbyAsync(source, "");
        await told;
    }

    private static Task<RequestTransaction> BeginAsync(Databases databases) =>
        RequestTransaction.BeginAsync(databases, new Caller("ann", [new Grant("acme", "*", "publisher")]), Token);

    // Cut off as well: a second of the server's own time has passed.
    private static Task CommitOfAnotherAsync(NpgsqlDataSource source) => ExecuteAsync(source, "INSERT INTO t VALUES (2)");

    private static async Task StandbyAsync(NpgsqlDataSource source, string name)
    {
        await ExecuteAsync(source, $"SET synchronous_commit = local; ALTER SYSTEM SET synchronous_standby_names = '{name}'");
        await Eventually.ComesAsync("the setting", async token =>
        {
            await using var connection = await source.OpenConnectionAsync(token);
            await using var look = new NpgsqlCommand("SELECT pg_reload_conf() AND current_setting('synchronous_standby_names') = $1", connection) { Parameters = { new() { Value = name } } };
            return await look.ExecuteScalarAsync(token) is true ? "set" : null;
        });
    }

    private static async Task ExecuteAsync(NpgsqlDataSource source, string sql)
    {
        await using var connection = await source.OpenConnectionAsync(Token);
        foreach (var statement in sql.Split(';', StringSplitOptions.TrimEntries))
        {
            await using var command = new NpgsqlCommand(statement, connection);
            await command.ExecuteNonQueryAsync(Token);
        }
    }
}
