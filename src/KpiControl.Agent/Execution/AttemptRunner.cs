using KpiControl.Agent.Executors;
using KpiControl.Jobs.Runs;

namespace KpiControl.Agent.Execution;

/// <summary>Runs one attempt on its connection, within its bounds: nothing that an executor does or fails to do hangs the agent.</summary>
internal sealed partial class AttemptRunner(ExecutorTable executors, ExecutionBounds bounds, ILogger<AttemptRunner> log)
{
    public async Task<AttemptEnd> RunAsync(Attempt attempt)
    {
        var lease = attempt.Lease;
        if (!executors.Connections.TryGetValue(lease.ConnId, out var connection))
            return Failed("none", $"This agent has no connection '{lease.ConnId}': add it to the agent's connections, or route the job to an agent that has it.");
        if (attempt.ContractJson is not { Length: > 0 } contract)
            return Failed(connection.Kind, $"Contract {lease.ContractDigest} was not sent with the lease, and this agent has not seen it.");
        var timeout = lease.Timeout?.ToTimeSpan() is { Ticks: > 0 } given ? given : bounds.Options.DefaultTimeout;
        await using var timer = bounds.After(timeout, static a => ((Attempt)a!).Stop(StopReason.Timeout), attempt);
        var call = new LeasedCall(lease, contract, timeout);
        // Task.Run: an executor that blocks before its first await would hold up the stream's reader.
        var work = Task.Run(() => ExecuteAsync(connection, call, attempt));
        var outcome = await WithinBoundsAsync(work, attempt) ? await work : null;
        return AttemptEnd.Of(attempt.Reason, outcome, connection.Kind, timeout);
    }

    private async Task<Outcome?> ExecuteAsync(ConnectedExecutor connection, LeasedCall call, Attempt attempt)
    {
        try
        {
            return await connection.Executor.ExecuteAsync(call, attempt.Gentle, attempt.Force);
        }
        catch (OperationCanceledException) when (attempt.Gentle.IsCancellationRequested)
        {
            return null;
        }
        catch (Exception e)
        {
            // Messages of drivers carry connection strings and rows: the type and the stack are told, the message is not.
            Log.ExecutorThrew(log, call.Lease.AttemptId, call.Lease.ConnId, e.GetType().Name, e.StackTrace?.ReplaceLineEndings(" "));
            return Failed(connection.Kind, $"The executor broke with {e.GetType().Name}; the agent's log has the place.").Outcome;
        }
    }

    /// <summary>True when the executor came back; false when it is abandoned.</summary>
    private async Task<bool> WithinBoundsAsync(Task work, Attempt attempt)
    {
        await Task.WhenAny(work, attempt.Stopped);
        if (await bounds.WithinAsync(work, bounds.Options.GentleFor))
            return true;
        attempt.StopByForce();
        if (await bounds.WithinAsync(work, bounds.Options.ForceFor))
            return true;
        Log.Abandoned(log, attempt.Lease.AttemptId, attempt.Lease.JobId, attempt.Lease.ConnId);
        return false;
    }

    private static AttemptEnd Failed(string executor, string message) => new(AttemptEndKind.Report, new Outcome
    {
        Status = RunStatus.Failed,
        ErrorCategory = RunErrors.Internal.CategoryWord,
        ErrorCode = RunErrors.Internal.Code,
        ErrorMessage = message,
        Executor = executor,
    });

    private static partial class Log
    {
        [LoggerMessage(1401, LogLevel.Error, "Attempt {Attempt}: the executor of connection '{Connection}' broke with {Exception}. {Stack}")]
        public static partial void ExecutorThrew(ILogger log, string attempt, string connection, string exception, string? stack);

        [LoggerMessage(1402, LogLevel.Error, "Attempt {Attempt} of job {Job}: connection '{Connection}' stopped neither gently nor by force and is abandoned; what it may still write meets the fence.")]
        public static partial void Abandoned(ILogger log, string attempt, string job, string connection);
    }
}
