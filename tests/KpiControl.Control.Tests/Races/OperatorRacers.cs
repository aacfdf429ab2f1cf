using KpiControl.Control.Authoring;
using KpiControl.Control.Operations;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Tests.Races;

/// <summary>Pauses and resumes, and lets pauses run out.</summary>
internal sealed class Pauser(RaceWorld world) : Racer(world)
{
    private readonly ExpiryStore _expiry = new(world.Databases);

    protected override async Task ActAsync(Random random, CancellationToken token)
    {
        var binding = World.AnyBinding(random);
        await using (var pause = await RequestTransaction.BeginAsync(World.Databases, World.Operator, token))
        {
            var until = random.Next(2) == 0 ? (DateTimeOffset?)null : await CursorStore.NowAsync(pause) + TimeSpan.FromMilliseconds(20 + random.Next(60));
            await PauseStore.PauseAsync(pause, binding, until, "race");
            await pause.CommitAsync();
        }
        await Task.Delay(TimeSpan.FromMilliseconds(random.Next(20)), TimeProvider.System, token);
        await using (var resume = await RequestTransaction.BeginAsync(World.Databases, World.Operator, token))
        {
            await PauseStore.ResumeAsync(resume, binding, "race");
            await resume.CommitAsync();
        }
        await _expiry.ExpireAsync(token);
    }
}

/// <summary>Puts another revision in force, under the same schedule: what is due stays due.</summary>
internal sealed class Rebinder(RaceWorld world) : Racer(world)
{
    protected override async Task ActAsync(Random random, CancellationToken token)
    {
        await using var tx = await RequestTransaction.BeginAsync(World.Databases, World.Operator, token);
        var was = await BindingLookup.ResolveForEditAsync(tx, new BindingKey(World.AnyBinding(random), "", "", ""), Verb.Pause);
        var job = ArtifactReader.Read((await JobStore.FindAsync(tx, was.BindingId)).CanonicalJson, ArtifactFormat.Json).Job!;
        var edited = was with { ScheduleOverridden = !was.ScheduleOverridden };
        if (!await PlacementStore.TweakAsync(tx, edited))
            throw new InvalidOperationException("A binding changed while it was held.");
        var cursors = await CursorStore.LockAsync(tx, [was.BindingId]);
        await PlacementStore.ReviseAsync(tx, [new NewRevision(was.BindingId, "race", "race")]);
        await CursorMove.ApplyAsync(tx, [new EnteringJob(was, edited, job, job, new Rebinding("race"))], cursors, new Dictionary<(string, int), short> { [(was.Region, job.Run.Priority)] = World.Lane.Number });
        await tx.CommitAsync();
    }
}

/// <summary>Triggers, and cancels what is open.</summary>
internal sealed class Meddler(RaceWorld world) : Racer(world)
{
    protected override async Task ActAsync(Random random, CancellationToken token)
    {
        await using (var trigger = await RequestTransaction.BeginAsync(World.Databases, World.Operator, token))
        {
            var binding = World.AnyBinding(random);
            var facts = await TriggerStore.FactsAsync(trigger, binding);
            await TriggerStore.QueueAsync(trigger, new Triggered
            {
                BindingId = binding, At = facts.Now, SlotKey = $"manual:{Guid.NewGuid()}", WindowStart = null, BusinessDate = DateOnly.FromDateTime(facts.Now.UtcDateTime), By = "racer", Reason = "race",
            });
            await trigger.CommitAsync();
        }
        await using var cancel = await RequestTransaction.BeginAsync(World.Databases, World.Operator, token);
        var victim = World.AnyBinding(random);
        foreach (var open in (await CancelStore.OpenAsync(cancel, victim)).Where(o => o.State != "queued" || o.LastSlot == o.ScheduledFor).OrderBy(_ => random.Next()).Take(1))
            _ = open.State switch
            {
                "leased" => await CancelStore.AskAgentAsync(cancel, victim, open),
                "queued" => await CancelStore.EndQueuedAsync(cancel, victim, open, 1, "race"),
                _ => await CancelStore.EndParkedAsync(cancel, victim, open, "race"),
            };
        await cancel.CommitAsync();
    }
}
