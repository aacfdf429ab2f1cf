using KpiControl.Control.Leases;
using KpiControl.Control.Signals;

namespace KpiControl.Control.Tests.Races;

/// <summary>Takes due slots, often by a scan that is old.</summary>
internal sealed class Taker(RaceWorld world) : Racer(world)
{
    private readonly DueStore _store = new(world.Databases);
    private IReadOnlyList<DueRow> _old = [];

    protected override async Task ActAsync(Random random, CancellationToken token)
    {
        var scan = await _store.ScanAsync(World.Lane.Number, DateTimeOffset.MinValue, 400, token);
        var rows = random.Next(3) == 0 && _old.Count > 0 ? _old : scan.Rows;
        _old = scan.Rows;
        var chosen = rows.Where(_ => random.Next(rows.Count) < 40).OrderBy(row => row.BindingId).ToList();
        var planned = await World.Plans.PlannedAsync(chosen, row => new PlanKey(row.BindingId, row.Revision), token);
        var takes = planned.Select(p => Take(p.Row, p.Plan, random)).ToList();
        if (takes.Count == 0)
            return;
        foreach (var taken in await _store.TakeAsync(takes, World.Node, token))
            if (taken.Take.As == TakeAs.Leased && taken.Fate == SlotFate.Opened)
                World.InHand.Enqueue(World.Holding(taken.Take.Plan.BindingId, taken.Take.Attempt, taken.FenceEpoch, taken.FenceNumber, taken.Take.Session, random));
    }

    private SlotTake Take(DueRow row, BindingPlan plan, Random random) => new()
    {
        Plan = plan, Seen = row.Slot, Slot = row.Slot, NextCursor = plan.Schedule.Next(row.Slot), BusinessDate = plan.BusinessDateOf(row.Slot),
        As = random.Next(8) switch { 0 => TakeAs.Ready, 1 => TakeAs.Waiting, _ => TakeAs.Leased },
        Session = World.AnySession(random), Attempt = Guid.CreateVersion7(), Timeout = plan.Job.Timeout, Reason = WaitingFor.Dependency,
    };
}

/// <summary>Grants what is ready, and drops list entries that have moved on.</summary>
internal sealed class Granter(RaceWorld world) : Racer(world)
{
    private readonly ReadyStore _store = new(world.Databases);
    private IReadOnlyList<ReadyRow> _old = [];

    protected override async Task ActAsync(Random random, CancellationToken token)
    {
        var scan = await _store.ScanAsync(World.Lane.Number, ["acme"], null, 200, token);
        var rows = (random.Next(3) == 0 ? _old : scan.Rows).Where(row => row.State == 'R').ToList();
        _old = scan.Rows;
        var planned = await World.Plans.PlannedAsync(rows, row => new PlanKey(row.BindingId, row.Revision), token);
        var grants = planned.DistinctBy(p => p.Row.BindingId).OrderBy(p => p.Row.BindingId)
            .Select(p => new ReadyGrant(p.Row, p.Plan, World.AnySession(random), Guid.CreateVersion7(), p.Plan.Job.Timeout)).ToList();
        if (grants.Count > 0)
            foreach (var granted in await _store.GrantAsync(grants, World.Node, token))
                World.InHand.Enqueue(World.Holding(granted.Grant.Row.BindingId, granted.Grant.Attempt, granted.FenceEpoch, granted.FenceNumber, granted.Grant.Session, random));
        var gone = scan.Rows.Where(row => row.State != 'R').ToList();
        if (gone.Count > 0)
            await _store.ForgetAsync(gone, token);
        await _store.RelistAsync(token);
    }
}

/// <summary>Completes: at once, twice in a row, long after, and under a fence that is not the attempt's.</summary>
internal sealed class Completer(RaceWorld world) : Racer(world)
{
    private readonly CompletionStore _store = new(world.Databases);

    protected override async Task ActAsync(Random random, CancellationToken token)
    {
        var batch = new List<Completion>();
        while (batch.Count < 30 && World.InHand.TryDequeue(out var held))
            if (random.Next(5) == 0)
                World.Late.Enqueue(held);
            else
                batch.Add(held);
        // Late: by now its session may have ended, and somebody else may hold the occurrence or have finished it.
        while (World.Late.Count > 300 && World.Late.TryDequeue(out var late))
            batch.Add(late);
        if (batch.Count == 0)
        {
            await Task.Yield();
            return;
        }
        await CompleteAsync(batch, token);
        if (random.Next(4) == 0)
            await CompleteAsync([.. batch.Select(c => random.Next(2) == 0 ? c : c with { FenceNumber = c.FenceNumber - 1 })], token);
    }

    private async Task CompleteAsync(IEnumerable<Completion> batch, CancellationToken token)
    {
        var ordered = batch.DistinctBy(c => c.BindingId).OrderBy(c => c.BindingId).ToList();
        foreach (var recorded in (await _store.CompleteAsync(ordered, token)).OfType<RecordedCompletion>())
            World.Acknowledged.Add(recorded.Completion.Attempt);
    }
}

/// <summary>Opens what queues behind bindings that are free, and wakes what waits.</summary>
internal sealed class Promoter(RaceWorld world) : Racer(world)
{
    private readonly QueueStore _queue = new(world.Databases);
    private readonly DependencyStore _waits = new(world.Databases);

    protected override async Task ActAsync(Random random, CancellationToken token)
    {
        var rows = await _queue.NextAsync(World.Lane.Number, 50, token);
        var promotions = await QueueWork.UnderstandAsync(rows, World.Plans, token);
        if (promotions.Count > 0)
            await _queue.PromoteAsync(promotions, token);
        var waiting = await _waits.OpenAsync(World.Bindings, token);
        if (waiting.Count > 0)
            await _waits.WakeAsync(waiting, token);
    }
}

/// <summary>Ends sessions, opens their successors, gives back what they held and what agents return unrun.</summary>
internal sealed class Undertaker(RaceWorld world, RaceLog log) : Racer(world)
{
    private readonly SessionStore _sessions = new(world.Databases);
    private readonly ReclaimStore _reclaim = new(world.Databases, Microsoft.Extensions.Options.Options.Create(new LeaseOptions()));

    protected override async Task ActAsync(Random random, CancellationToken token)
    {
        var index = random.Next(World.Sessions.Length);
        var ended = World.Sessions[index];
        await _sessions.EndAsync(ended, "silent", token);
        await log.EndedAsync(ended.SessionId);
        await _reclaim.ReclaimAsync(token);
        await World.OpenSessionAsync(index, token);
        World.Ended = ended;
        if (World.InHand.TryDequeue(out var unrun))
            await _reclaim.ReturnAsync(unrun.Reporter, [unrun.Attempt], token);
        await Task.Delay(TimeSpan.FromMilliseconds(random.Next(30)), TimeProvider.System, token);
    }
}

/// <summary>Makes room in rows for what comes next, often by what was seen before.</summary>
internal sealed class Stander(RaceWorld world) : Racer(world)
{
    private readonly DueStore _due = new(world.Databases);
    private readonly AsideStore _asides = new(world.Databases, Microsoft.Extensions.Options.Options.Create(new LeaseOptions { MostAtOncePerBinding = 4 }));
    private IReadOnlyList<DueRow> _old = [];

    protected override async Task ActAsync(Random random, CancellationToken token)
    {
        var scan = await _due.ScanAsync(World.Lane.Number, DateTimeOffset.MinValue, 400, token);
        var rows = random.Next(3) == 0 && _old.Count > 0 ? _old : scan.Rows;
        _old = scan.Rows;
        await _asides.StandAsync([.. rows.Where(row => row.IsBusy && random.Next(5) == 0).Select(row => new PlanKey(row.BindingId, row.Revision))], token);
        if (random.Next(5) == 0)
            await _asides.MakeRoomAsync(World.Lane.Number, token);
    }
}

/// <summary>Goes on with what stands aside: in the row, beside what is in it, or not at all.</summary>
internal sealed class Returner(RaceWorld world) : Racer(world)
{
    private readonly AsideStore _asides = new(world.Databases, Microsoft.Extensions.Options.Options.Create(new LeaseOptions()));
    private IReadOnlyList<AsideRow> _old = [];

    protected override async Task ActAsync(Random random, CancellationToken token)
    {
        var scan = await _asides.ScanAsync(World.Lane.Number, token);
        var rows = random.Next(3) == 0 ? _old : scan;
        _old = scan;
        await _asides.ComeBackAsync([.. rows.Where(row => row.RowIsFree || random.Next(3) == 0).Select(row => row.Key)], token);
        await _asides.GiveUpAsync([.. rows.Where(_ => random.Next(20) == 0)], token);
        var planned = await World.Plans.PlannedAsync(rows, row => new PlanKey(row.BindingId, row.RunsUnder), token);
        var grants = planned.OrderBy(p => p.Row.BindingId).Select(p => new ReadyGrant(p.Row.ToReady(), p.Plan, World.AnySession(random), Guid.CreateVersion7(), p.Plan.Job.Timeout)).ToList();
        if (grants.Count > 0)
            foreach (var granted in await _asides.GrantAsync(grants, World.Node, token))
                World.InHand.Enqueue(World.Holding(granted.Grant.Row.BindingId, granted.Grant.Attempt, granted.FenceEpoch, granted.FenceNumber, granted.Grant.Session, random));
        await Task.Yield();
    }
}
