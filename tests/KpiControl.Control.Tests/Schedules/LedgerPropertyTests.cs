using System.Globalization;
using CsCheck;
using Dapper;
using KpiControl.Control.Authoring;
using KpiControl.Control.Database;
using KpiControl.Control.Leases;
using KpiControl.Control.Operations;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Control.Tests.Races;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Schedules;
using KpiControl.Testing;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KpiControl.Control.Tests.Schedules;

/// <summary>
/// Whatever goes down, is paused, edited or dies, each instant of what was in force has one disposition. Days pass by moving
/// every instant of a binding's rows back; what is in force repeats daily, so a slot stays a slot.
/// </summary>
public sealed class LedgerPropertyTests : IAsyncLifetime
{
    private static readonly string[] Crons = ["0 */3 * * *", "30 2 * * *", "15,45 * * * *", "*/20 6-9 * * *"];
    private static readonly string[] Catchups = ["none", "latest", "all"];

    private TestDatabase _database = null!;
    private Databases _databases = null!;
    private RaceWorld? _world;
    private int _jobs;

    private enum Step { DaysDown, Round, RoundThatHolds, Finish, Pause, Resume, EditSchedule, Rebind, LoseLease }

    private static readonly Gen<(int Catchup, int Window, (int Step, int Size)[] Steps)> Histories =
        Gen.Select(Gen.Int[0, 2], Gen.Int[1, 4], Gen.Select(Gen.Int[0, 8], Gen.Int[1, 4]).Array[4, 14]);

    public async ValueTask InitializeAsync()
    {
        _database = await PostgresFixture.CreateDatabaseAsync();
        _databases = new Databases(Options.Create(new DatabaseOptions { Requests = _database.Requests, Scheduler = _database.Scheduler }));
    }

    public async ValueTask DisposeAsync()
    {
        await _databases.DisposeAsync();
        // Attempts cannot be moved back with the pauses: their ids tell when they were minted.
        Assert.DoesNotContain(await InvariantCheck.BrokenAsync(_database), row => !row.Contains("nothing starts under a pause", StringComparison.Ordinal));
        await _database.DisposeAsync();
    }

    [Fact]
    public void Each_instant_in_force_has_one_disposition_whatever_happens() =>
        Histories.Sample(history => Try(history) is var difference && difference.Length == 0, iter: 25, threads: 1, print: history =>
            $"catchup {Catchups[history.Catchup]}, window {history.Window}d: {string.Join(", ", history.Steps.Select(s => $"{(Step)s.Step} {s.Size}"))}: {Try(history)}");

    private string Try((int Catchup, int Window, (int Step, int Size)[] Steps) history) =>
        Task.Run(() => RunAsync(history)).GetAwaiter().GetResult();

    private async Task<string> RunAsync((int Catchup, int Window, (int Step, int Size)[] Steps) history)
    {
        var number = Interlocked.Increment(ref _jobs);
        var spread = number % 2 == 0 ? TimeSpan.FromMinutes(10) : (TimeSpan?)null;
        var job = BindingSeed.Job($"job{number}", Crons[0], $"  catchup: {Catchups[history.Catchup]}\n  catchup_window: {history.Window}d{(spread is null ? "" : "\n  spread: 10m")}");
        var binding = await new BindingSeed(_database).BindAsync(job, "date_trunc('day', now())");
        _world ??= await RaceWorld.OpenAsync(_databases);
        var play = new Play(_database, _world, binding, spread);
        await play.BeginAsync();
        foreach (var (step, size) in history.Steps)
            await play.ActAsync((Step)step, size);
        return await play.DifferenceAsync();
    }

    /// <summary>One binding's story, told through the product's own stores.</summary>
    private sealed class Play(TestDatabase database, RaceWorld world, long binding, TimeSpan? spread)
    {
        private static readonly CancellationToken None = CancellationToken.None;
        private readonly DueStore _due = new(world.Databases);
        private readonly List<Completion> _held = [];
        private readonly Random _random = new(1);

        /// <summary>The first slot is the seed's midnight, moved by the binding's place within the spread.</summary>
        public async Task BeginAsync()
        {
            await using var connection = await database.OpenAsync();
            await connection.ExecuteAsync("UPDATE kpi_job_runtime SET next_run_at = next_run_at + @offset WHERE binding_id = @binding", new { binding, offset = ScheduleOf(Crons[0]).SpreadOffset });
        }

        public Task ActAsync(Step step, int size) => step switch
        {
            Step.DaysDown => DownAsync(size),
            Step.Round => RoundAsync(holds: false),
            Step.RoundThatHolds => RoundAsync(holds: true),
            Step.Finish => FinishAsync(),
            Step.Pause => PauseAsync(),
            Step.Resume => ResumeAsync(),
            Step.EditSchedule => EditAsync(Crons[size % Crons.Length]),
            Step.Rebind => EditAsync(null),
            _ => LoseAsync(),
        };

        private async Task DownAsync(int days)
        {
            await using var connection = await database.OpenAsync();
            await connection.ExecuteAsync(
                """
                SET session_replication_role = replica;
                UPDATE kpi_job_runtime SET next_run_at = next_run_at - @by, occ_scheduled_for = occ_scheduled_for - @by, occ_window_start = occ_window_start - @by, queued_slot = queued_slot - @by,
                  paused_until = paused_until - @by WHERE binding_id = @binding;
                UPDATE kpi_occurrence SET scheduled_for = scheduled_for - @by, last_slot = last_slot - @by, window_start = window_start - @by WHERE binding_id = @binding;
                UPDATE kpi_job_history SET scheduled_for = scheduled_for - @by, slot_last = slot_last - @by WHERE binding_id = @binding;
                UPDATE kpi_binding_revision SET first_slot_after = first_slot_after - @by, effective_from = effective_from - @by WHERE binding_id = @binding;
                UPDATE kpi_pause_end SET ended_at = ended_at - @by WHERE pause_id IN (SELECT pause_id FROM kpi_pause WHERE binding_id = @binding);
                UPDATE kpi_pause SET paused_at = paused_at - @by, paused_until = paused_until - @by WHERE binding_id = @binding;
                SET session_replication_role = origin
                """, new { by = TimeSpan.FromDays(days), binding });
        }

        // As the dispatcher goes round: what is due, then what queues, then what is ready, until nothing moves.
        private async Task RoundAsync(bool holds)
        {
            for (var moves = 0; moves < 40; moves++)
            {
                var moved = await TakeAsync() | await PromoteAsync() | await GrantAsync();
                if (!holds)
                    await FinishAsync();
                if (!moved)
                    return;
            }
        }

        private async Task<bool> TakeAsync()
        {
            var scan = await _due.ScanAsync(world.Lane.Number, DateTimeOffset.MinValue, 500, None);
            if (scan.Rows.FirstOrDefault(row => row.BindingId == binding && row.Slot <= scan.Now) is not { BindingId: > 0 } row || await PlanAsync(row.Revision) is not { } plan)
                return false;
            var take = SlotDecision.Decide(row, plan, scan.Now);
            if (take.As == TakeAs.Leased)
                take = take.LeasedTo(world.Sessions[0], scan.Now);
            foreach (var taken in await _due.TakeAsync([take], world.Node, None))
                if (taken is { Fate: SlotFate.Opened, Take.As: TakeAs.Leased })
                    _held.Add(world.Holding(binding, taken.Take.Attempt, taken.FenceEpoch, taken.FenceNumber, taken.Take.Session, _random));
            return true;
        }

        private async Task<bool> PromoteAsync()
        {
            await using var connection = await database.OpenAsync();
            var lanes = (await connection.QueryAsync<short>("SELECT DISTINCT lane FROM kpi_occurrence WHERE binding_id = @binding", new { binding })).AsList();
            var store = new QueueStore(world.Databases);
            foreach (var lane in lanes)
                if ((await store.NextAsync(lane, 500, None)).FirstOrDefault(row => row.BindingId == binding) is { } next)
                    return (await store.PromoteAsync(await QueueWork.UnderstandAsync([next], world.Plans, None), None)).Count > 0;
            return false;
        }

        private async Task<bool> GrantAsync()
        {
            await using var connection = await database.OpenAsync();
            var store = new ReadyStore(world.Databases);
            foreach (var lane in (await connection.QueryAsync<short>("SELECT lane FROM kpi_parked WHERE binding_id = @binding", new { binding })).AsList())
                if ((await store.ScanAsync(lane, ["acme"], null, 500, None)).Rows.FirstOrDefault(row => row.BindingId == binding && row.State == 'R') is { } ready && await PlanAsync(ready.Revision) is { } plan)
                    foreach (var granted in await store.GrantAsync([new ReadyGrant(ready, plan, world.Sessions[0], Guid.CreateVersion7(), plan.Job.Timeout)], world.Node, None))
                    {
                        _held.Add(world.Holding(binding, granted.Grant.Attempt, granted.FenceEpoch, granted.FenceNumber, granted.Grant.Session, _random));
                        return true;
                    }
            return false;
        }

        private async Task FinishAsync()
        {
            foreach (var held in _held)
                await new CompletionStore(world.Databases).CompleteAsync([held], None);
            _held.Clear();
        }

        private async Task PauseAsync()
        {
            await using var tx = await RequestTransaction.BeginAsync(world.Databases, world.Operator, None);
            await PauseStore.PauseAsync(tx, binding, null, "property");
            await tx.CommitAsync();
        }

        private async Task ResumeAsync()
        {
            await using var tx = await RequestTransaction.BeginAsync(world.Databases, world.Operator, None);
            await PauseStore.ResumeAsync(tx, binding, "property");
            await tx.CommitAsync();
        }

        private async Task EditAsync(string? cron)
        {
            await using var tx = await RequestTransaction.BeginAsync(world.Databases, world.Operator, None);
            var was = await BindingLookup.ResolveForEditAsync(tx, new BindingKey(binding, "", "", ""), Verb.Pause);
            var job = ArtifactReader.Read((await JobStore.FindAsync(tx, binding)).CanonicalJson, ArtifactFormat.Json).Job!;
            var edited = was with { ScheduleCron = cron ?? was.ScheduleCron, ScheduleOverridden = cron is not null };
            await PlacementStore.TweakAsync(tx, edited);
            var cursors = await CursorStore.LockAsync(tx, [binding]);
            await PlacementStore.ReviseAsync(tx, [new NewRevision(binding, "property", "property")]);
            await CursorMove.ApplyAsync(tx, [new EnteringJob(was, edited, job, job, new Rebinding("property"))], cursors, new Dictionary<(string, int), short> { [(was.Region, job.Run.Priority)] = world.Lane.Number });
            await tx.CommitAsync();
        }

        private async Task LoseAsync()
        {
            await new SessionStore(world.Databases).EndAsync(world.Sessions[0], "silent", None);
            await new ReclaimStore(world.Databases, Options.Create(new LeaseOptions())).ReclaimAsync(None);
            await world.OpenSessionAsync(0, None);
        }

        private async Task<BindingPlan?> PlanAsync(int revision) =>
            (await world.Plans.PlannedAsync([revision], r => new PlanKey(binding, r), None)).Select(p => p.Plan).SingleOrDefault();

        /// <summary>The pure evaluation of the revisions up to the cursor, against every row that stands for slots.</summary>
        public async Task<string> DifferenceAsync()
        {
            await using var connection = await database.OpenAsync();
            var revisions = (await connection.QueryAsync<(int Revision, string Cron, DateTime After)>(
                "SELECT revision, schedule_cron, first_slot_after FROM kpi_binding_revision WHERE binding_id = @binding ORDER BY revision", new { binding })).AsList();
            var cursor = await connection.QuerySingleAsync<DateTime>("SELECT next_run_at FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
            var expected = new List<DateTimeOffset>();
            for (var i = 0; i < revisions.Count; i++)
            {
                var until = i + 1 < revisions.Count ? revisions[i + 1].After : DateTime.MaxValue;
                until = until < cursor ? until : cursor.AddTicks(-1);
                expected.AddRange(ScheduleOf(revisions[i].Cron).Slots(revisions[i].After, until));
            }
            var rows = (await connection.QueryAsync<(int Revision, DateTime First, DateTime Last)>(
                """
                SELECT revision, scheduled_for, coalesce(slot_last, scheduled_for) FROM kpi_job_history WHERE binding_id = @binding AND final AND trigger_kind = 'schedule'
                UNION ALL SELECT revision, scheduled_for, last_slot FROM kpi_open_occurrence WHERE binding_id = @binding AND kind = 0
                """, new { binding })).AsList();
            var placed = rows.SelectMany(row => Stretch(row.First, row.Last, revisions)).Order().ToList();
            var missing = expected.Except(placed).Select(slot => $"missing {slot:O}");
            var extra = placed.Except(expected).Select(slot => $"extra {slot:O}");
            var twice = placed.GroupBy(slot => slot).Where(g => g.Count() > 1).Select(g => $"{g.Count()} times {g.Key:O}");
            return string.Join(", ", missing.Concat(extra).Concat(twice).Take(5));
        }

        // A stretch is of the schedule that was in force at its first slot.
        private IEnumerable<DateTimeOffset> Stretch(DateTime first, DateTime last, List<(int Revision, string Cron, DateTime After)> revisions) =>
            ScheduleOf(revisions.Last(r => r.After < first).Cron).Slots(new DateTimeOffset(first).AddTicks(-1), last);

        private JobSchedule ScheduleOf(string cron) =>
            JobSchedule.TryCreate(new JobScheduleSpec { Type = "cron", Expression = cron, Timezone = "UTC", Spread = spread }, out var schedule, out var error, $"{binding}")
                ? schedule! : throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"{cron}: {error}"));
    }
}
