using System.Collections.Concurrent;
using KpiControl.Control.Database;
using KpiControl.Control.Drift.Stores;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Drift;

/// <summary>
/// Makes a pass over each store when it is due; on every node, each store claimed by one of them at a time. A store that is down or
/// hangs keeps nobody waiting but itself, and nothing of what is bound or runs looks at stores.
/// </summary>
internal sealed partial class StoreSync(SyncStateStore states, StorePass pass, DriftAlertStore alerts, IOptions<DriftOptions> options, TimeProvider time, ILogger<StoreSync> logger) : PeriodicWork(time)
{
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, Task> underway = new(StringComparer.Ordinal);

    protected override TimeSpan Every => options.Value.LookEvery;

    protected override async Task PassAsync(CancellationToken token)
    {
        foreach (var ended in underway.Where(one => one.Value.IsCompleted).ToList())
            underway.TryRemove(ended);
        var idle = options.Value.Stores.Keys.Except(underway.Keys, StringComparer.Ordinal).ToArray();
        if (idle.Length == 0)
            return;
        foreach (var claimed in await states.ClaimAsync(idle, pass.ClaimLength, token))
            underway[claimed.Store] = Task.Run(() => RunAsync(claimed, token), CancellationToken.None);
    }

    protected override void Away(Exception error) => Log.Away(logger, error.Message);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        // A file system that hangs must not keep the node from ending.
        await Task.WhenAll(underway.Values).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task RunAsync(ClaimedStore claimed, CancellationToken token)
    {
        try
        {
            await TryAsync(claimed, token);
            await alerts.NoteAsync(claimed.Store, token);
        }
        catch (OperationCanceledException) when (token.IsCancellationRequested)
        {
            // The claim runs out, and another node goes on.
        }
        catch (Exception error) when (SqlStates.IsOutage(error))
        {
            Away(error);
        }
        // A store is somebody else's: whatever breaks there must not end the node that schedules.
        catch (Exception error)
        {
            Log.Broken(logger, claimed.Store, error);
        }
    }

    private async Task TryAsync(ClaimedStore claimed, CancellationToken token)
    {
        try
        {
            if (await pass.RunAsync(claimed, token) is not { } result)
                return;
            if (claimed.Failures > 0)
                Log.Back(logger, claimed.Store, claimed.Failures);
            if (result.IsRewritten)
                Log.Rewritten(logger, claimed.Store, claimed.Version, result.Version);
            if (result.ContentsRead + result.Gone.Count > 0)
                Log.Changed(logger, claimed.Store, result.ContentsRead, result.Gone.Count);
        }
        catch (StoreFaultException fault)
        {
            if (claimed.Failures == 0)
                Log.Failing(logger, claimed.Store, fault.Message);
            await states.FailAsync(claimed, fault.Message, BackoffAfter(claimed.Failures), token);
        }
        catch (Exception error) when (error is not OperationCanceledException && !SqlStates.IsOutage(error))
        {
            await states.FailAsync(claimed, $"the pass broke off ({error.GetType().Name}); the log of the control plane says more", BackoffAfter(claimed.Failures), token);
            throw;
        }
    }

    private TimeSpan BackoffAfter(int failures)
    {
        var pause = FirstBackoff * Math.Pow(2, Math.Min(failures, 20));
        return (pause < options.Value.LongestBackoff ? pause : options.Value.LongestBackoff) * (0.8 + (0.4 * Random.Shared.NextDouble()));
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 740, Level = LogLevel.Warning, Message = "Store {Store} cannot be read, and is tried again: {Failure}")]
        public static partial void Failing(ILogger logger, string store, string failure);

        [LoggerMessage(EventId = 741, Level = LogLevel.Information, Message = "Store {Store} can be read again, after {Failures} passes that failed")]
        public static partial void Back(ILogger logger, string store, int failures);

        [LoggerMessage(EventId = 742, Level = LogLevel.Warning, Message = "Store {Store}: history was rewritten, {Before} is no longer part of the branch at {After}")]
        public static partial void Rewritten(ILogger logger, string store, string? before, string after);

        [LoggerMessage(EventId = 743, Level = LogLevel.Information, Message = "Store {Store}: {Read} artifacts were read, {Gone} are gone")]
        public static partial void Changed(ILogger logger, string store, int read, int gone);

        [LoggerMessage(EventId = 744, Level = LogLevel.Warning, Message = "Stores are not looked at, the database is away: {Error}")]
        public static partial void Away(ILogger logger, string error);

        [LoggerMessage(EventId = 745, Level = LogLevel.Error, Message = "The pass over store {Store} broke off")]
        public static partial void Broken(ILogger logger, string store, Exception error);
    }
}
