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

    public async Task WatchAsync(Caller caller, WatchJobsRequest request, IServerStreamWriter<JobEvent> events, CancellationToken token)
    {
        var watched = new Watched { Since = Cursor(request.Cursor) };
        var scope = await ScopeAsync(caller, request, token);
        using var timer = new PeriodicTimer(Look, time);
        try
        {
            for (var look = 0; ; look++)
            {
                foreach (var happened in await LookAsync(caller, scope, watched, token))
                    await events.WriteAsync(happened, token);
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

    private async Task<IReadOnlyList<JobEvent>> LookAsync(Caller caller, WatchScope scope, Watched watched, CancellationToken token)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, caller, token);
        watched.Now = await RunStore.NowAsync(tx);
        var changed = (await WatchStore.StatesAsync(tx, scope)).Where(watched.IsNews).ToList();
        watched.Since ??= watched.Now;
        var happened = new List<JobEvent>();
        foreach (var run in await RunsAsync(tx, changed, watched))
        {
            var told = Event(run.RecordedAt, "run");
            told.Run = run.ToProto();
            happened.Add(told);
        }
        foreach (var state in changed)
        {
            var told = Event(watched.Now, "state");
            told.Job = state.ToProto();
            happened.Add(told);
        }
        return happened;
    }

    private static async Task<IReadOnlyList<RunRow>> RunsAsync(RequestTransaction tx, List<JobState> changed, Watched watched)
    {
        var runs = new List<RunRow>();
        var from = watched.From(CommitLag);
        watched.LastLook = watched.Now;
        for (var more = changed.Count > 0; more;)
        {
            var page = await RunStore.SinceAsync(tx, [.. changed.Select(c => c.BindingId)], from);
            var news = page.Where(watched.IsNews).ToList();
            runs.AddRange(news);
            more = page.Count == RunStore.SinceLimit && news.Count > 0;
            from = more ? page[^1].RecordedAt.AddTicks(-1) : from;
        }
        return runs;
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

        public bool IsNews(RunRow run)
        {
            if (runs.Count > 10_000)
                foreach (var old in runs.Where(r => r.Value < Now - CommitLag * 2).Select(r => r.Key).ToList())
                    runs.Remove(old);
            return runs.TryAdd(run.RunId, run.RecordedAt);
        }
    }
}
