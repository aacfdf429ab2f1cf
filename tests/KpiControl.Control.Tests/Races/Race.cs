using System.Collections.Concurrent;
using KpiControl.Control.Database;
using KpiControl.Control.Leases;
using KpiControl.Control.Security;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KpiControl.Control.Tests.Races;

/// <summary>
/// Sixteen at once over the product's own stores, none of which waits for another: they take, grant, complete (twice, late,
/// stale), pause, resume, rebind, cancel, trigger, promote, wake, give back and reclaim the same few bindings.
/// </summary>
/// <remarks>Only types of the framework cross into it: it also runs against the product with a wrong statement.</remarks>
public static class Race
{
    /// <returns>What went wrong, then a tally; it stops at the first finding.</returns>
    public static async Task<string[]> RunAsync(string requests, string scheduler, string superuser, double seconds, int seed, bool beside)
    {
        await using var databases = new Databases(Options.Create(new DatabaseOptions { Requests = requests, Scheduler = scheduler, PoolSize = 24 }));
        var log = new RaceLog(superuser, beside);
        await log.BeginAsync();
        using var over = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        var world = await RaceWorld.OpenAsync(databases);
        var racers = new List<Racer>
        {
            new Taker(world), new Taker(world), new Taker(world), new Taker(world),
            new Granter(world), new Granter(world), new Granter(world),
            new Completer(world), new Completer(world), new Completer(world),
            new Pauser(world), new Pauser(world), new Rebinder(world), new Meddler(world), new Promoter(world), new Undertaker(world, log),
        };
        if (beside)
            racers.AddRange([new Stander(world), new Stander(world), new Returner(world), new Returner(world)]);
        var running = racers.Select((racer, i) => Task.Run(() => racer.RunAsync(new Random(seed + i), over.Token))).ToList();
        var findings = await WatchAsync(log, world, over);
        await over.CancelAsync();
        await Task.WhenAll(running);
        if (findings.Count == 0)
            findings = [.. world.Faults, .. await log.FindingsAsync([.. world.Acknowledged])];
        return [.. findings.Distinct(), await log.TallyAsync()];
    }

    private static async Task<List<string>> WatchAsync(RaceLog log, RaceWorld world, CancellationTokenSource over)
    {
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(400));
        try
        {
            while (await tick.WaitForNextTickAsync(over.Token))
                if (world.Faults.ToList() is { Count: > 0 } faults)
                    return faults;
                else if (await log.FindingsAsync([.. world.Acknowledged]) is { Count: > 0 } findings)
                    return findings;
        }
        catch (OperationCanceledException)
        {
        }
        return [];
    }
}

/// <summary>What the racers share: sessions that come and go, leases in hand, and what was acknowledged.</summary>
internal sealed class RaceWorld(Databases databases, NodeRef node, Lane lane, long[] bindings)
{
    public static async Task<RaceWorld> OpenAsync(Databases databases)
    {
        var sessions = new SessionStore(databases);
        var node = await sessions.RegisterNodeAsync("racer", TimeSpan.FromMinutes(10), CancellationToken.None);
        var lanes = await sessions.LanesAsync(CancellationToken.None);
        await using var command = databases.Scheduler.CreateCommand("SELECT array_agg(binding_id ORDER BY binding_id) FROM kpi_job_runtime");
        var world = new RaceWorld(databases, node, lanes[0], (long[])(await command.ExecuteScalarAsync())!);
        for (var i = 0; i < world.Sessions.Length; i++)
            await world.OpenSessionAsync(i, CancellationToken.None);
        return world;
    }

    public Databases Databases => databases;
    public NodeRef Node => node;
    public Lane Lane => lane;
    public long[] Bindings => bindings;
    public SessionRef[] Sessions { get; } = new SessionRef[4];
    /// <summary>The last that ended: a dispatcher that has not heard of it goes on to choose it.</summary>
    public SessionRef? Ended { get; set; }

    public PlanCache Plans { get; } = new(new PlanStore(databases), NullLogger<PlanCache>.Instance);
    public ConcurrentQueue<Completion> InHand { get; } = new();
    public ConcurrentQueue<Completion> Late { get; } = new();
    public ConcurrentBag<Guid> Acknowledged { get; } = [];
    public ConcurrentQueue<string> Faults { get; } = new();
    public Caller Operator { get; } = new("racer", [new Grant("*", "*", "platform_operator")]);

    public async Task OpenSessionAsync(int index, CancellationToken token) => Sessions[index] = (await new SessionStore(databases).OpenAsync(new SessionOpening
    {
        Agent = $"racer-{index}", Instance = Guid.NewGuid(), Region = lane.Region, Tenants = ["acme"], Build = "test", Slots = 1000,
        Labels = new Dictionary<string, string>(), Connections = new Dictionary<string, string>(),
    }, node, token))!.Id;

    public SessionRef AnySession(Random random) => Ended is { } ended && random.Next(10) == 0 ? ended : Sessions[random.Next(Sessions.Length)];

    public long AnyBinding(Random random) => bindings[random.Next(bindings.Length)];

    public Completion Holding(long binding, Guid attempt, int epoch, long fence, SessionRef session, Random random)
    {
        TimeSpan? again = random.Next(4) == 0 ? TimeSpan.Zero : null;
        return new Completion
        {
            BindingId = binding, Attempt = attempt, FenceEpoch = epoch, FenceNumber = fence, Reporter = session, Status = again is null ? "success" : "failed",
            RetryIn = again, Digest = attempt.ToByteArray(), Document = "{}", ErrorCode = again is null ? null : "SQL_ERROR",
        };
    }
}

/// <summary>One of the sixteen: does its thing again and again; what should never happen to it is a finding.</summary>
internal abstract class Racer(RaceWorld world)
{
    protected RaceWorld World => world;

    public async Task RunAsync(Random random, CancellationToken token)
    {
        while (!token.IsCancellationRequested)
            try
            {
                await ActAsync(random, token);
            }
            catch (Exception) when (token.IsCancellationRequested)
            {
                return;
            }
            catch (PostgresException fault)
            {
                world.Faults.Enqueue($"{GetType().Name}: {fault.SqlState} {fault.MessageText} {fault.Detail}");
                return;
            }
            catch (InvalidOperationException fault)
            {
                world.Faults.Enqueue($"{GetType().Name}: {fault.Message}");
                return;
            }
    }

    protected abstract Task ActAsync(Random random, CancellationToken token);
}
