using Grpc.Core;
using Grpc.Net.Client;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Bench;

/// <summary>What live runs feel of a long backfill beside them.</summary>
internal static class BackfillBench
{
    private const int Slots = 10_000, LiveJobs = 1_000;
    private const double Times = 2;

    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(30);

    public static async Task<bool> RunAsync(int percent)
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync();
        await using var issuer = await TestIssuer.StartAsync();
        await using var control = await ControlProcess.StartAsync(database, issuer);
        var filled = await new BindingSeed(database).BindAsync(BindingSeed.Job("filled", "0 * * * *"), "now() + interval '1 year'");
        var live = await LiveRuns.BindAsync(database, LiveJobs);
        await using var agent = await BenchAgent.StartAsync(control.GrpcUrl, issuer, slots: 100);
        // The first pass compiles the code and learns the plans.
        await MeasureAsync(live, agent);
        var alone = await MeasureAsync(live, agent);

        using var channel = GrpcChannel.ForAddress(control.GrpcUrl);
        var (jobs, token) = (new JobService.JobServiceClient(channel), new Metadata { { "authorization", $"Bearer {issuer.Token()}" } });
        var days = Math.Max(1, TimeBench.Part(Slots, percent) / 24);
        var first = new DateOnly(2025, 1, 1);
        var begun = await jobs.BackfillJobAsync(new BackfillJobRequest { BindingId = filled, FirstDate = $"{first:yyyy-MM-dd}", LastDate = $"{first.AddDays(days):yyyy-MM-dd}", Reason = "bench" }, token);
        var beside = await MeasureAsync(live, agent);
        var after = await jobs.GetBackfillAsync(new GetBackfillRequest { BackfillId = begun.BackfillId }, token);
        Console.WriteLine(TimeBench.Invariant($"due -> agent of {LiveJobs:N0} live runs, p99: {alone:0.0} ms alone, {beside:0.0} ms beside a backfill of {begun.Total:N0} slots, {(after.Slots.TryGetValue("success", out var ran) ? ran : 0):N0} of which ran by then"));
        return TimeBench.Tell("live p99 beside a backfill, times that without", beside / alone, Times, "x");
    }

    private static async Task<double> MeasureAsync(LiveRuns live, BenchAgent agent)
    {
        await live.ComeDueAsync(Watched);
        return Meter.Percentile(await live.DelaysAsync(agent), 0.99);
    }
}
