using System.Reflection;
using System.Text.RegularExpressions;
using Dapper;
using KpiControl.Control.Database;
using KpiControl.Control.Leases;
using KpiControl.Control.Signals;
using KpiControl.Testing;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KpiControl.Control.Tests.Database;

/// <summary>
/// What the hot path's pool plans, whatever the planner knows: rows are locked in the order of the array, by primary key.
/// A plan that walks another index locks in the heap's order, and two batches deadlock.
/// </summary>
public sealed partial class PlanTests
{
    private static readonly (Type Store, string Statement, string Types)[] Changing =
    [
        (typeof(DueStore), "TakeSql", ""), (typeof(ReadyStore), "GrantSql", ""), (typeof(CompletionStore), "CompleteSql", ""),
        (typeof(DependencyStore), "WakeSql", "(bigint[], timestamptz[])"),
    ];

    public enum Known { NothingOfAnEmptyTable, AnEmptyTable, NothingOfTenThousandRows, TenThousandRows }

    [Theory]
    [InlineData(Known.NothingOfAnEmptyTable)]
    [InlineData(Known.AnEmptyTable)]
    [InlineData(Known.NothingOfTenThousandRows)]
    [InlineData(Known.TenThousandRows)]
    public async Task Batches_lock_by_primary_key_in_the_order_of_their_arrays(Known known)
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync(TestContext.Current.CancellationToken);
        await using var connection = await OpenAsync(database, known);

        foreach (var (store, statement, types) in Changing)
        {
            var plan = UpdateOf(await PlanAsync(connection, store, statement, types));
            Assert.DoesNotMatch("Seq Scan on kpi_job_runtime|Bitmap Heap Scan on kpi_job_runtime|kpi_job_runtime_due", plan);
            Assert.Contains("Index Scan using kpi_job_runtime_pkey on kpi_job_runtime rt", plan);
            // Told that there is no row, the planner walks all of none by the key, in its order too, until the next ANALYZE.
            if (known == Known.AnEmptyTable)
                continue;
            Assert.Matches("Index Scan using kpi_job_runtime_pkey on kpi_job_runtime rt\n *Index Cond: \\(binding_id = x.binding_id\\)", plan);
            // Of a nested loop the outer side stands first; nothing may come before the array but what one row answers.
            var outer = ScannedName().Matches(plan).Select(m => m.Groups[1].Value).First(name => name != "kpi_cluster");
            Assert.True(outer == "x", $"{store.Name}.{statement} begins with {outer}:\n{plan}");
        }
    }

    [Theory]
    [InlineData(Known.NothingOfAnEmptyTable)]
    [InlineData(Known.AnEmptyTable)]
    [InlineData(Known.NothingOfTenThousandRows)]
    [InlineData(Known.TenThousandRows)]
    public async Task Look_ups_use_their_index(Known known)
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync(TestContext.Current.CancellationToken);
        await using var connection = await OpenAsync(database, known);

        var due = await PlanAsync(connection, typeof(DueStore), "ScanSql", "(smallint, timestamptz, int)");
        Assert.Matches("Index (Only )?Scan using kpi_job_runtime_due", due);
        Assert.DoesNotContain("Sort", due);
        Assert.Contains("kpi_job_runtime_pkey", await PlanAsync(connection, typeof(CompletionStore), "LookUpSql", ""));
        var standing = await PlanAsync(connection, typeof(CompletionStore), "StandingSql", "");
        Assert.DoesNotContain("Seq Scan on kpi_job_history", standing);
        Assert.Contains("Index Cond: (run_id = x.fence_n)", standing);
        var ready = await PlanAsync(connection, typeof(ReadyStore), "ScanSql", "(smallint, text[], int, timestamptz, bigint)");
        Assert.DoesNotContain("Seq Scan on kpi_job_runtime", ready);
        Assert.Contains("kpi_parked_lane_ready_at_idx", ready);
    }

    // The pool's own connection, so that these are the settings in force.
    private static async Task<NpgsqlConnection> OpenAsync(TestDatabase database, Known known)
    {
        if (known is Known.NothingOfTenThousandRows or Known.TenThousandRows)
            await new BindingSeed(database).BindAsync(BindingSeed.Job("job"), count: 10_000);
        await using (var superuser = await database.OpenAsync())
            await superuser.ExecuteAsync(known is Known.AnEmptyTable or Known.TenThousandRows ? "ANALYZE; SELECT 1" : "DELETE FROM pg_statistic WHERE starelid = 'kpi_job_runtime'::regclass");
        var databases = new Databases(Options.Create(new DatabaseOptions { Requests = database.Requests, Scheduler = database.Scheduler }));
        return await databases.Hot.OpenConnectionAsync();
    }

    private static async Task<string> PlanAsync(NpgsqlConnection connection, Type store, string statement, string types)
    {
        var sql = (string)store.GetField(statement, BindingFlags.Static | BindingFlags.NonPublic)!.GetRawConstantValue()!;
        var names = new List<string>();
        sql = Regex.Replace(sql, @"(?<![@\w])@(\w+)", m =>
        {
            if (!names.Contains(m.Groups[1].Value))
                names.Add(m.Groups[1].Value);
            return $"${names.IndexOf(m.Groups[1].Value) + 1}";
        });
        var parameters = Regex.Matches(sql, @"\$(\d+)").Max(m => int.Parse(m.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture));
        // One statement a command: the driver would take the numbers for its own parameters.
        await RunAsync(connection, $"PREPARE hot {types} AS {sql}");
        var plan = new List<string>();
        await using (var explain = new NpgsqlCommand($"EXPLAIN (COSTS OFF) EXECUTE hot({string.Join(',', Enumerable.Repeat("NULL", parameters))})", connection))
        await using (var reader = await explain.ExecuteReaderAsync())
            while (await reader.ReadAsync())
                plan.Add(reader.GetString(0));
        await RunAsync(connection, "DEALLOCATE hot");
        return string.Join('\n', plan);
    }

    private static async Task RunAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private static string UpdateOf(string plan)
    {
        var from = plan.IndexOf("Update on kpi_job_runtime", StringComparison.Ordinal);
        var to = plan.IndexOf("\n  CTE ", from, StringComparison.Ordinal);
        return to < 0 ? plan[from..] : plan[from..to];
    }

    [GeneratedRegex("(?:Scan on|Scan using \\w+ on) (\\w+)")]
    private static partial Regex ScannedName();
}
