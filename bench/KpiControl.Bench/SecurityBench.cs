using System.Globalization;
using Grpc.Core;
using Grpc.Net.Client;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Bench;

/// <summary>What the guards cost: the same work on the control plane as it is and on one without them, in one call, taking turns.</summary>
internal static class SecurityBench
{
    private const int Reads = 1500;
    private const int BadTokensPerSecond = 1000;
    private const int Revocations = 200;
    private static readonly TimeSpan FloodFor = TimeSpan.FromSeconds(10);

    public static async Task<int> RunAsync(int bindings, int rounds)
    {
        Console.WriteLine($"security: {bindings:N0} hourly bindings due at once, one control plane and one agent in this process; {rounds} rounds");
        await PostgresFixture.StartServerAsync("fsync = on", "synchronous_commit = on", "autovacuum_naptime = 10s");
        await using var issuer = await TestIssuer.StartAsync();
        await using var guarded = await SideAsync("guarded", issuer, (database, tokens) => ControlHost.StartAsync(database, tokens), bindings);
        await using var open = await SideAsync("open", issuer, OpenHost.StartAsync, bindings);
        for (var round = 1; round <= rounds; round++)
            foreach (var side in round % 2 == 0 ? new[] { open, guarded } : [guarded, open])
            {
                await side.RunAsync(bindings);
                await side.ReadAsync(Reads);
            }
        foreach (var side in new[] { guarded, open })
            Console.WriteLine(Invariant($"{side.Name,-8} {Meter.Percentile(side.Rates, 0.5),8:N0} runs/s (of {rounds})   a read p50 {Meter.Percentile(side.ReadsMs, 0.5):0.00} ms, p99 {Meter.Percentile(side.ReadsMs, 0.99):0.00} ms"));
        Console.WriteLine(Invariant($"the guards: {(1 - Meter.Percentile(guarded.Rates, 0.5) / Meter.Percentile(open.Rates, 0.5)) * 100:0.0} % of the lease path's throughput (limit: 10), {Meter.Percentile(guarded.ReadsMs, 0.99) - Meter.Percentile(open.ReadsMs, 0.99):0.00} ms of a read's p99 (limit: 1)"));
        await FloodAsync(issuer);
        await RevokeAsync(issuer);
        return 0;
    }

    private static async Task<LeaseSide> SideAsync(string name, TestIssuer issuer, Func<TestDatabase, TestIssuer, Task<ControlHost>> start, int bindings)
    {
        var side = await LeaseSide.StartAsync(name, issuer, start, bindings);
        await side.ReadAsync(Reads);
        side.ReadsMs.Clear();
        return side;
    }

    // The shipped process, so that what the flood costs its sender is not taken for what it costs the control plane.
    private static async Task FloodAsync(TestIssuer issuer)
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync();
        await using var control = await ControlProcess.StartAsync(database, issuer);
        using var good = Client(control.GrpcUrl);
        using var bad = Client(control.GrpcUrl);
        var token = issuer.Token();
        await GoodAsync(good, token, TimeSpan.FromSeconds(5));
        var (quiet, flooded, sent) = (new List<double>(), new List<double>(), 0L);
        for (var round = 0; round < 3; round++)
        {
            quiet.Add(await GoodAsync(good, token, FloodFor));
            using var end = new CancellationTokenSource(FloodFor);
            var flood = BadAsync(bad, [issuer.ForgedToken(), issuer.Token("admin") + "x", "not.a.token"], end.Token);
            flooded.Add(await GoodAsync(good, token, FloodFor));
            sent += await flood;
        }
        var (before, during) = (Meter.Percentile(quiet, 0.5), Meter.Percentile(flooded, 0.5));
        Console.WriteLine(Invariant($"a good caller: {before:N0} reads/s alone, {during:N0} beside {sent / (3 * FloodFor.TotalSeconds):N0} wrong tokens a second: {(1 - during / before) * 100:0.0} % slower (limit: 20)"));
    }

    /// <summary>From the operator's call, one after the other beside all that are still open, to the end of the agent's stream.</summary>
    private static async Task RevokeAsync(TestIssuer issuer)
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync();
        using var authority = new TestAuthority();
        await using var host = await ControlHost.StartAsync(database, issuer, authority, _ => { });
        var fleet = new FleetService.FleetServiceClient(host.Channel(issuer.Token("operator")));
        var agents = new List<(string Name, TestAgent Agent)>();
        foreach (var name in Enumerable.Range(1, Revocations).Select(i => Invariant($"revoked-{i}")))
        {
            await fleet.RegisterAgentAsync(new RegisterAgentRequest { Agent = name, Region = "eu", Tenants = { "acme" } });
            agents.Add((name, await TestAgent.ConnectAsync(host.AgentChannel(authority.Issue($"spiffe://kpi-control/region/eu/agent/{name}")), name)));
        }
        var milliseconds = new List<double>();
        foreach (var (name, agent) in agents)
        {
            var began = TimeProvider.System.GetTimestamp();
            await fleet.RevokeAgentAsync(new RevokeAgentRequest { Agent = name, Reason = "a benchmark" });
            if ((await agent.Ended).StatusCode != StatusCode.Unauthenticated)
                throw new InvalidOperationException("A stream ended otherwise than by its revocation.");
            milliseconds.Add(TimeProvider.System.GetElapsedTime(began).TotalMilliseconds);
            await agent.DisposeAsync();
        }
        Console.WriteLine(Invariant($"a revocation reaches the open stream: p50 {Meter.Percentile(milliseconds, 0.5):0} ms, p99 {Meter.Percentile(milliseconds, 0.99):0} ms of {Revocations} (limit: 1,000)"));
    }

    private static GrpcChannel Client(string url) => GrpcChannel.ForAddress(url);

    private static CallOptions With(string token) => new(new Metadata { { "authorization", $"Bearer {token}" } });

    /// <summary>Calls a second, one after the other.</summary>
    private static async Task<double> GoodAsync(GrpcChannel channel, string token, TimeSpan length)
    {
        var (jobs, began, calls) = (new JobService.JobServiceClient(channel), TimeProvider.System.GetTimestamp(), 0);
        while (TimeProvider.System.GetElapsedTime(began) < length)
        {
            await jobs.ListJobsAsync(new ListJobsRequest { PageSize = 10 }, With(token));
            calls++;
        }
        return calls / TimeProvider.System.GetElapsedTime(began).TotalSeconds;
    }

    private static async Task<long> BadAsync(GrpcChannel channel, string[] tokens, CancellationToken end)
    {
        var jobs = new JobService.JobServiceClient(channel);
        var (began, sent, answers) = (TimeProvider.System.GetTimestamp(), 0L, new List<Task>());
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (!end.IsCancellationRequested)
        {
            for (var due = (long)(TimeProvider.System.GetElapsedTime(began).TotalSeconds * BadTokensPerSecond); sent < due; sent++)
                answers.Add(RefusedAsync(jobs, tokens[sent % tokens.Length]));
            await tick.WaitForNextTickAsync(CancellationToken.None);
        }
        await Task.WhenAll(answers);
        return sent;
    }

    private static async Task RefusedAsync(JobService.JobServiceClient jobs, string token)
    {
        try
        {
            await jobs.ListJobsAsync(new ListJobsRequest(), With(token));
            throw new InvalidOperationException("A wrong token was taken.");
        }
        catch (RpcException refused) when (refused.StatusCode is StatusCode.Unauthenticated)
        {
            // As it must be.
        }
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
