using System.Globalization;
using Dapper;
using KpiControl.Control.Audit;
using KpiControl.Testing;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace KpiControl.Bench;

/// <summary>What evidence and the audit chain cost the lease path, beside a control plane that keeps neither; and how long the chain takes to verify.</summary>
internal static class EvidenceBench
{
    private const double MostCost = 0.15, VerifySeconds = 5;
    private const long RowsToVerify = 100_000;

    public static async Task<int> RunAsync(int bindings, int rounds)
    {
        Console.WriteLine($"evidence: {bindings:N0} hourly bindings due at once, one control plane and one agent in this process; {rounds} rounds");
        await PostgresFixture.StartServerAsync("fsync = on", "synchronous_commit = on", "autovacuum_naptime = 10s");
        await using var issuer = await TestIssuer.StartAsync();
        using var key = new AuditKeyFile();
        await using var keeps = await LeaseSide.StartAsync("keeps", issuer, (database, tokens) => ControlHost.StartAsync(database, tokens, ("Audit:SigningKeyFile", key.Path)), bindings);
        await using var forgets = await LeaseSide.StartAsync("forgets", issuer, ForgetfulAsync, bindings);
        var behind = new List<double>();
        for (var round = 1; round <= rounds; round++)
            foreach (var side in round % 2 == 0 ? new[] { forgets, keeps } : [keeps, forgets])
            {
                await side.RunAsync(bindings);
                if (side == keeps)
                    behind.Add((await Meter.MeasureAsync(side.Database.Superuser, side.LinkedAsync)).DatabaseCpu / bindings * 1e6);
            }
        foreach (var side in new[] { keeps, forgets })
            Console.WriteLine(Invariant($"{side.Name,-8} {Meter.Percentile(side.Rates, 0.5),8:N0} runs/s (of {rounds})"));
        var cost = 1 - (Meter.Percentile(keeps.Rates, 0.5) / Meter.Percentile(forgets.Rates, 0.5));
        Console.WriteLine(Invariant($"evidence and audit: {cost * 100:0.0} % of the lease path's throughput (limit: 15); what is linked behind a burst takes the database another {Meter.Percentile(behind, 0.5):0} us of processor a run"));
        return await VerifyAsync(keeps, issuer, bindings) && cost <= MostCost ? 0 : 1;
    }

    // Who keeps nothing still writes the words of its evidence: that part of the cost is on both sides.
    private const string ForgetSql =
        """
        CREATE FUNCTION bench_forgets() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER bench_forgets BEFORE INSERT ON kpi_evidence FOR EACH ROW EXECUTE FUNCTION bench_forgets();
        CREATE TRIGGER bench_forgets BEFORE INSERT ON kpi_chain_pending FOR EACH ROW EXECUTE FUNCTION bench_forgets();
        """;

    private static async Task<ControlHost> ForgetfulAsync(TestDatabase database, TestIssuer issuer)
    {
        await using (var connection = await database.OpenAsync())
            await connection.ExecuteAsync(ForgetSql);
        return await ControlHost.StartAsync(database, issuer, services => services.Remove(services.Single(service => service.ImplementationType == typeof(ChainSequencer))));
    }

    private static async Task<bool> VerifyAsync(LeaseSide keeps, TestIssuer issuer, int bindings)
    {
        long rows;
        while ((rows = await RowsAsync(keeps.Database)) < RowsToVerify)
        {
            await keeps.RunAsync(bindings);
            await keeps.LinkedAsync();
        }
        var home = Directory.CreateTempSubdirectory("kpi-bench-audit-");
        try
        {
            var kpictl = new KpictlProcess(keeps.Host.GrpcUrl, issuer.Token(), home.FullName);
            await kpictl.SecondsAsync("audit", "verify", "--tenant", "acme");
            var seconds = await kpictl.SecondsAsync("audit", "verify", "--tenant", "acme");
            var each = seconds / rows * RowsToVerify;
            Console.WriteLine(Invariant($"verification of a chain of {rows:N0} rows by the control plane: {seconds:0.00} s, {each:0.00} s for {RowsToVerify:N0} (target {VerifySeconds} s)"));
            return each <= VerifySeconds;
        }
        finally
        {
            home.Delete(recursive: true);
        }
    }

    private static async Task<long> RowsAsync(TestDatabase database)
    {
        await using var connection = new NpgsqlConnection(database.Superuser);
        return await connection.QuerySingleAsync<long>("SELECT coalesce(sum(cardinality(row_ids)), 0)::bigint FROM kpi_chain_link");
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
