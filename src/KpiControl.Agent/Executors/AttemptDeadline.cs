namespace KpiControl.Agent.Executors;

/// <summary>Runs one attempt under its three ends: cancelled gently, by force, or out of time.</summary>
internal static class AttemptDeadline
{
    /// <param name="lease">Its timeout counts from now.</param>
    /// <param name="record">What to make an outcome of where the attempt is cut short.</param>
    /// <param name="attempt">Ends early when its token is cancelled.</param>
    public static async Task<Outcome> RunAsync(
        LeasedCall lease, AttemptRecord record, TimeProvider time, Func<CancellationToken, Task<Outcome>> attempt, CancellationToken gentle, CancellationToken force)
    {
        using var deadline = new CancellationTokenSource(lease.Timeout, time);
        using var any = CancellationTokenSource.CreateLinkedTokenSource(gentle, force, deadline.Token);
        try
        {
            return await attempt(any.Token);
        }
        // Drivers answer a cancelled statement with exceptions of their own; whose token it was decides.
        catch (Exception error) when (any.IsCancellationRequested && error is OperationCanceledException or System.Data.Common.DbException or HttpRequestException or IOException)
        {
            force.ThrowIfCancellationRequested();
            return gentle.IsCancellationRequested
                ? record.Ended(Jobs.Runs.RunStatus.Cancelled)
                : record.Failed(new Failure(Jobs.Runs.RunErrors.ExecTimeout, $"the attempt took longer than its timeout of {lease.Timeout}"));
        }
    }
}
