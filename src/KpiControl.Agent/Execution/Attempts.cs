using System.Collections.Concurrent;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Agent.Leasing;
using KpiControl.Agent.Telemetry;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Execution;

/// <summary>All attempts in this process. They outlive streams: a cut changes nothing until trust runs out.</summary>
internal sealed partial class Attempts(AttemptRunner runner, Outbox.Outbox outbox, Outbound outbound, Slots slots, AttemptTelemetry telemetry, TimeProvider time, ILogger<Attempts> log) : IDisposable
{
    private readonly ConcurrentDictionary<string, Attempt> running = new(StringComparer.Ordinal);
    // Control keeps to the credit; this bound holds even if it does not.
    private readonly SemaphoreSlim room = new(slots.Total);
    private volatile bool closed;

    public int Count => running.Count;

    public IEnumerable<HeldAttempt> Held => running.Values.Where(a => a.IsHeld).Select(a => a.ToHeld());

    /// <param name="contractJson">Null: not known.</param>
    public void Start(Lease lease, string? contractJson)
    {
        if (!slots.Received())
            Log.BeyondCredit(log, lease.AttemptId, slots.Total);
        var attempt = new Attempt(lease, contractJson);
        if (!running.TryAdd(lease.AttemptId, attempt))
            slots.Released();
        else if (closed)
        {
            outbound.Return(lease.AttemptId);
            Forget(attempt);
        }
        else
            _ = RunAsync(attempt);
    }

    /// <summary>Leases that still arrive are returned.</summary>
    public void Close() => closed = true;

    public bool Stop(string attemptId, StopReason reason) => running.TryGetValue(attemptId, out var attempt) && attempt.Stop(reason);

    /// <returns>How many were told to stop by this.</returns>
    public int StopAll(StopReason reason) => running.Values.Count(a => a.Stop(reason));

    public void StopAllByForce()
    {
        foreach (var attempt in running.Values)
            attempt.StopByForce();
    }

    /// <summary>Completes when nothing runs; meaningful once closed.</summary>
    public Task IdleAsync() => Task.WhenAll(running.Values.Select(a => a.Ended));

    private async Task RunAsync(Attempt attempt)
    {
        var concluded = await TryRunAsync(attempt);
        Forget(attempt);
        // Forgotten first: the next Hello must no longer name it, so that control gives it to somebody else.
        if (!concluded)
            outbound.Reopen();
    }

    private async Task<bool> TryRunAsync(Attempt attempt)
    {
        var startedAt = time.GetUtcNow();
        using var span = telemetry.Begin(attempt.Lease);
        try
        {
            var end = await EnterAsync(attempt)
                ? await RunInRoomAsync(attempt, startedAt)
                : AttemptEnd.Of(attempt.Reason, null, "none", TimeSpan.Zero);
            telemetry.Ended(span, end, time.GetUtcNow() - startedAt);
            await ConcludeAsync(attempt, end, startedAt);
            return true;
        }
        catch (Exception e)
        {
            Log.Broke(log, attempt.Lease.AttemptId, attempt.Lease.JobId, e.GetType().Name, e.StackTrace?.ReplaceLineEndings(" "));
            return false;
        }
    }

    private void Forget(Attempt attempt)
    {
        running.TryRemove(attempt.Lease.AttemptId, out _);
        slots.Released();
        attempt.End();
        outbound.Wake();
    }

    private async Task<bool> EnterAsync(Attempt attempt)
    {
        var entered = room.WaitAsync(attempt.Gentle);
        await entered.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return entered.IsCompletedSuccessfully;
    }

    private async Task<AttemptEnd> RunInRoomAsync(Attempt attempt, DateTimeOffset startedAt)
    {
        try
        {
            outbound.Say(new StartedAttempt { AttemptId = attempt.Lease.AttemptId, StartedAt = Timestamp.FromDateTimeOffset(startedAt) });
            return await runner.RunAsync(attempt);
        }
        finally
        {
            room.Release();
        }
    }

    private async Task ConcludeAsync(Attempt attempt, AttemptEnd end, DateTimeOffset startedAt)
    {
        var lease = attempt.Lease;
        var finishedAt = time.GetUtcNow();
        if (end.Kind == AttemptEndKind.Report)
        {
            var outcome = end.Outcome!;
            await outbox.JournalAsync(outcome.ToFinished(lease, startedAt, finishedAt)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Log.Finished(log, lease.AttemptId, lease.JobId, outcome.Status, outcome.ErrorCode, (long)(finishedAt - startedAt).TotalMilliseconds);
            return;
        }
        if (end.Kind == AttemptEndKind.Return)
            outbound.Return(lease.AttemptId);
        Log.Stopped(log, lease.AttemptId, lease.JobId, attempt.Reason, end.Kind);
    }

    public void Dispose() => room.Dispose();

    private static partial class Log
    {
        [LoggerMessage(1411, LogLevel.Information, "Attempt {Attempt} of job {Job}: {Status} {Code} after {Milliseconds} ms.")]
        public static partial void Finished(ILogger log, string attempt, string job, string status, string code, long milliseconds);

        [LoggerMessage(1412, LogLevel.Warning, "Attempt {Attempt} of job {Job} stopped ({Reason}): {End}, not reported.")]
        public static partial void Stopped(ILogger log, string attempt, string job, StopReason reason, AttemptEndKind end);

        [LoggerMessage(1414, LogLevel.Error, "Attempt {Attempt} of job {Job} could not be concluded ({Exception}): it is dropped, and control will hand the occurrence out again. {Stack}")]
        public static partial void Broke(ILogger log, string attempt, string job, string exception, string? stack);

        [LoggerMessage(1413, LogLevel.Warning, "Lease {Attempt} came without credit; it waits for one of {Slots} slots.")]
        public static partial void BeyondCredit(ILogger log, string attempt, int slots);
    }
}
