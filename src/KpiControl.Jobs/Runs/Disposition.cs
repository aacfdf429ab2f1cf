using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Runs;

/// <summary>How one attempt ended, as its agent reports it.</summary>
/// <param name="Status"><c>success, partial, failed, suppressed, cancelled</c> or <c>skipped</c>.</param>
/// <param name="ErrorCode">A code of <see cref="RunErrors"/>; null when nothing went wrong. It decides over <paramref name="Status"/>.</param>
/// <param name="RetryAfter">What the called service asked for.</param>
public sealed record AttemptOutcome(string Status, string? ErrorCode = null, TimeSpan? RetryAfter = null);

/// <summary>What the job allows, and what has been used of it.</summary>
/// <param name="RetriesUsed">Before this attempt: 0 for the first.</param>
/// <param name="OnRuleFail"><c>suppress</c>, <c>warn</c> or <c>last_good</c>.</param>
/// <param name="HasLastGood">A value of an earlier run stands.</param>
/// <param name="Jitter01">Uniform in [0, 1], drawn by the caller.</param>
public sealed record RetryState(JobRetry Retry, int RetriesUsed, string OnRuleFail, bool HasLastGood, double Jitter01);

/// <summary>What follows an attempt: the occurrence ends with a status and perhaps a reason, is tried again, or waits.</summary>
/// <param name="Status">A word of <see cref="RunStatus"/>; null while the occurrence stays open.</param>
/// <param name="Reason">A word of <see cref="SkipReason"/> where it was skipped.</param>
/// <param name="RetryIn">The wait before the next try, which counts as a retry.</param>
public sealed record Disposition(string? Status, string? Reason = null, TimeSpan? RetryIn = null)
{
    /// <summary>Open and not to be retried: it waits for its dependencies again, and no retry is used.</summary>
    public bool Waits => Status is null && RetryIn is null;

    public bool IsTerminal => Status is not null;

    /// <summary>The platform's table of errors, applied to one attempt.</summary>
    public static Disposition Of(AttemptOutcome outcome, RetryState state)
    {
        if (outcome.Status == RunStatus.Cancelled) return new(RunStatus.Cancelled);
        if (outcome.ErrorCode is null) return WithoutCode(outcome, state);
        // No stage was ready, and the agent passed them all over: that is the run's end, and not a wait for something.
        if (outcome.Status == RunStatus.Skipped && outcome.ErrorCode == RunErrors.NotReady.Code) return new(RunStatus.Skipped, SkipReason.NotReady);
        return RunErrors.Of(outcome.ErrorCode).Handling switch
        {
            ErrorHandling.Skip => new(RunStatus.Skipped, SkipReason.PreValidation),
            ErrorHandling.Rule => new(AfterRule(outcome, state)),
            ErrorHandling.Wait => new((string?)null),
            ErrorHandling.Fail => new(RunStatus.Failed),
            ErrorHandling.RetryThenLastGood => Retry(outcome, state) ?? new(FallsBack(state) ? RunStatus.Partial : RunStatus.Failed),
            _ => Retry(outcome, state) ?? new(RunStatus.Failed),
        };
    }

    // An agent that says it failed and not how is treated as one that broke.
    private static Disposition WithoutCode(AttemptOutcome outcome, RetryState state) =>
        outcome.Status == RunStatus.Failed ? Of(outcome with { ErrorCode = RunErrors.Internal.Code }, state)
        : outcome.Status == RunStatus.Skipped ? new(RunStatus.Skipped, SkipReason.PreValidation)
        : new(outcome.Status);

    // The values stand with the agent: what it says of them is what happened.
    private static string AfterRule(AttemptOutcome outcome, RetryState state) =>
        outcome.Status is RunStatus.Partial or RunStatus.Suppressed ? outcome.Status
        : state.OnRuleFail == "warn" || FallsBack(state) ? RunStatus.Partial : RunStatus.Suppressed;

    private static bool FallsBack(RetryState state) => state.OnRuleFail == "last_good" && state.HasLastGood;

    private static Disposition? Retry(AttemptOutcome outcome, RetryState state) => state.RetriesUsed >= state.Retry.MaxRetries ? null
        : new(null, null, RetryPolicy.Delay(state.Retry, state.RetriesUsed + 1, state.Jitter01, outcome.RetryAfter));
}
