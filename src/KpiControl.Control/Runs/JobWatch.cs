using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Control.Authoring;
using KpiControl.Control.Database;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Runs;

/// <summary>
/// Shows what changes, as it changes. It looks only while somebody watches; a binding's runs are read when its state
/// moved, by the index that history has anyway.
/// </summary>
internal sealed class JobWatch(Databases databases, TimeProvider time)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(500);
    // A run is stamped when its transaction began and seen when it committed.
    private static readonly TimeSpan CommitLag = TimeSpan.FromSeconds(30);
    private const int LooksPerHeartbeat = 30;
    // A look that took so long was held up by its watcher: it is told that it sees the past.
    private static readonly TimeSpan Behind = TimeSpan.FromSeconds(10);

    public async Task WatchAsync(Caller caller, WatchJobsRequest request, IServerStreamWriter<JobEvent> events, CancellationToken token)
    {
        // What was stamped before the cursor and committed after it was shown to nobody: a few may be shown twice instead.
        var watched = new Watched { Since = Cursor(request.Cursor) is { } cursor && cursor > DateTimeOffset.UnixEpoch ? cursor - CommitLag : null };
        var scope = await ScopeAsync(caller, request, token);
        using var timer = new PeriodicTimer(Look, time);
        try
        {
            for (var look = 0; ; look++)
            {
                var began = time.GetTimestamp();
                await LookAsync(caller, scope, watched, events, token);
                if (time.GetElapsedTime(began) > Behind)
                    await events.WriteAsync(Event(watched.Now, "behind"), token);
                if (look % LooksPerHeartbeat == LooksPerHeartbeat - 1)
                    await events.WriteAsync(Event(watched.Now, "heartbeat"), token);
                await timer.WaitForNextTickAsync(token);
            }
        }
        catch (OperationCanceledException) when (token.IsCancellationRequested)
        {
            // The watcher has seen enough.
        }
    }

    private async Task<WatchScope> ScopeAsync(Caller caller, WatchJobsRequest request, CancellationToken token)
    {
        var read = ReadScope.Of(caller, Verb.Read);
        if (request.BindingId == 0 && request.JobId.Length == 0)
            return new WatchScope(null, read, request.Tenant, request.Environment);
        await using var tx = await RequestTransaction.BeginAsync(databases, caller, token);
        var binding = await BindingLookup.ResolveAsync(tx, new BindingKey(request.BindingId, request.Tenant, request.Environment, request.JobId), Verb.Read);
        return new WatchScope(binding.BindingId, read, "", "");
    }

    private async Task LookAsync(Caller caller, WatchScope scope, Watched watched, IServerStreamWriter<JobEvent> events, CancellationToken token)
    {
        List<JobState> changed;
        await using (var tx = await RequestTransaction.BeginAsync(databases, caller, token))
        {
            watched.Now = await RunStore.NowAsync(tx);
            changed = [.. (await WatchStore.StatesAsync(tx, scope)).Where(watched.IsNews)];
        }
        watched.Since ??= watched.Now;
        await ShowRunsAsync(caller, [.. changed.Select(c => c.BindingId)], watched, events, token);
        foreach (var state in changed)
        {
            var told = Event(watched.Now, "state");
            told.Job = state.ToProto();
            await events.WriteAsync(told, token);
        }
    }

    // Page by page, each shown before the next is read: however much there is, one page of it is in memory, and no transaction
    // is open while a watcher takes its time.
    private async Task ShowRunsAsync(Caller caller, long[] changed, Watched watched, IServerStreamWriter<JobEvent> events, CancellationToken token)
    {
        var (from, after) = (watched.From(CommitLag), 0L);
        watched.Forget(before: from);
        watched.LastLook = watched.Now;
        for (var more = changed.Length > 0; more;)
        {
            var page = await PageAsync(caller, changed, from, after, token);
            foreach (var run in page.Where(watched.IsNews))
            {
                var told = Event(run.RecordedAt, "run");
                told.Run = run.ToProto();
                await events.WriteAsync(told, token);
            }
            more = page.Count == RunStore.SincePage;
            (from, after) = more ? (page[^1].RecordedAt, page[^1].RunId) : (from, after);
        }
    }

    private async Task<IReadOnlyList<RunRow>> PageAsync(Caller caller, long[] changed, DateTimeOffset from, long after, CancellationToken token)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, caller, token);
        return await RunStore.SinceAsync(tx, changed, from, after);
    }

    private static JobEvent Event(DateTimeOffset at, string kind) =>
        new() { Cursor = at.UtcTicks.ToString(CultureInfo.InvariantCulture), At = Timestamp.FromDateTimeOffset(at), Kind = kind };

    private static DateTimeOffset? Cursor(string cursor) => cursor.Length == 0 ? null
        : long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out var ticks) && ticks <= DateTimeOffset.MaxValue.UtcTicks
            ? new DateTimeOffset(ticks, TimeSpan.Zero)
            : throw Reject.Invalid("cursor", "is not one that an event carried; leave it out to begin now");

    /// <summary>What one watcher has been shown.</summary>
    private sealed class Watched
    {
        private readonly Dictionary<long, JobState> states = [];
        private readonly Dictionary<long, DateTimeOffset> runs = [];

        public DateTimeOffset Now { get; set; }

        /// <summary>Runs from here on are told of.</summary>
        public DateTimeOffset? Since { get; set; }

        /// <summary>Null before the first look.</summary>
        public DateTimeOffset? LastLook { get; set; }

        public DateTimeOffset From(TimeSpan lag) => LastLook is { } last && last - lag > Since ? last - lag : Since!.Value;

        public bool IsNews(JobState state)
        {
            var news = !states.TryGetValue(state.BindingId, out var shown) || shown != state;
            states[state.BindingId] = state;
            return news;
        }

        public bool IsNews(RunRow run) => runs.TryAdd(run.RunId, run.RecordedAt);

        /// <summary>What was recorded before an instant that no look reaches back to.</summary>
        public void Forget(DateTimeOffset before)
        {
            foreach (var old in runs.Where(r => r.Value < before).Select(r => r.Key).ToList())
                runs.Remove(old);
        }
    }
}
