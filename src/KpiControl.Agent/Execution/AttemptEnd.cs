using KpiControl.Agent.Executors;
using KpiControl.Jobs.Runs;

namespace KpiControl.Agent.Execution;

internal enum AttemptEndKind { Report, Return, Drop }

/// <summary>What becomes of an attempt: reported, given back to control unrun, or dropped without a word.</summary>
internal sealed record AttemptEnd(AttemptEndKind Kind, Outcome? Outcome = null)
{
    /// <summary>Decides. What an executor brings back after it was told to stop counts only if it is a real result.</summary>
    /// <param name="outcome">Null: it never began, or never came back.</param>
    public static AttemptEnd Of(StopReason reason, Outcome? outcome, string executor, TimeSpan timeout)
    {
        if (outcome is not null && (reason == StopReason.None || outcome.Status is not (RunStatus.Cancelled or RunStatus.Failed)))
            return new(AttemptEndKind.Report, outcome);
        return reason switch
        {
            StopReason.Timeout => new(AttemptEndKind.Report, (outcome ?? Empty(executor)) with
            {
                Status = RunStatus.Failed,
                ErrorCategory = RunErrors.ExecTimeout.CategoryWord,
                ErrorCode = RunErrors.ExecTimeout.Code,
                ErrorMessage = $"The attempt did not finish within its timeout of {timeout}.",
            }),
            StopReason.Draining => new(AttemptEndKind.Return),
            StopReason.LostTrust or StopReason.LostLease => new(AttemptEndKind.Drop),
            _ => new(AttemptEndKind.Report, (outcome ?? Empty(executor)) with { Status = RunStatus.Cancelled }),
        };
    }

    private static Outcome Empty(string executor) => new() { Status = RunStatus.Cancelled, Executor = executor };
}
