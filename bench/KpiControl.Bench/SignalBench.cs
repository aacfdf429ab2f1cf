using Dapper;
using Grpc.Core;
using Grpc.Net.Client;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Bench;

/// <summary>From the call that publishes a signal until the agent has the lease of the occurrence that waited for it.</summary>
internal static class SignalBench
{
    private const int Waiting = 1_000, Warm = 50;
    private const double Milliseconds = 50;

    public static async Task<bool> RunAsync(int percent)
    {
        var jobs = TimeBench.Part(Waiting, percent) + Warm;
        await using var database = await PostgresFixture.CreateDatabaseAsync();
        await using var issuer = await TestIssuer.StartAsync();
        await using var control = await ControlProcess.StartAsync(database, issuer);
        await new BindingSeed(database).BindAsync(BindingSeed.Job("waits", "0 0 * * *", more: "dependencies: { signals: [told] }"), "now() + interval '1 day'", jobs);
        await using var connection = await database.OpenAsync();
        // A signal each, so that each publish wakes one.
        await connection.ExecuteAsync("""
            UPDATE kpi_job_dependency SET dep_value = 'told_' || binding_id;
            UPDATE kpi_job_runtime SET next_run_at = date_trunc('day', now());
            SELECT pg_notify('kpi', 'lane ' || lane) FROM kpi_lane
            """);
        while (await connection.ExecuteScalarAsync<long>("SELECT count(*) FROM kpi_occurrence_wait") < jobs)
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        var waits = (await connection.QueryAsync<(long Binding, string Signal, string Date)>("SELECT binding_id, dep_value, business_date::text FROM kpi_occurrence_wait ORDER BY binding_id")).AsList();

        await using var agent = await BenchAgent.StartAsync(control.GrpcUrl, issuer, slots: jobs);
        using var channel = GrpcChannel.ForAddress(control.GrpcUrl);
        var (signals, token) = (new SignalService.SignalServiceClient(channel), new Metadata { { "authorization", $"Bearer {issuer.Token()}" } });
        var published = new Dictionary<long, DateTimeOffset>();
        foreach (var (binding, signal, date) in waits)
        {
            published[binding] = TimeProvider.System.GetUtcNow();
            await signals.PublishSignalAsync(new PublishSignalRequest { Tenant = "acme", Name = signal, BusinessDate = date }, token);
        }
        await agent.AcknowledgedAsync(jobs);
        var delays = agent.Executor.TakeCalls().OrderBy(call => call.Binding).Skip(Warm).Select(call => (call.At - published[call.Binding]).TotalMilliseconds).ToList();
        return TimeBench.Tell(TimeBench.Invariant($"signal published -> leased, p99 of {delays.Count:N0} (p50 {Meter.Percentile(delays, 0.5):0.0} ms)"), Meter.Percentile(delays, 0.99), Milliseconds, "ms");
    }
}
