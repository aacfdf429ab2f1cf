using KpiControl.Agent.Secrets;
using KpiControl.Jobs.Runs;

namespace KpiControl.Agent.Executors;

/// <summary>Why an attempt ends here, in the platform's words.</summary>
internal sealed record Failure(RunError Error, string Message, TimeSpan? RetryAfter = null)
{
    /// <summary>The contract or the call is not what this agent can execute; no retry will change that.</summary>
    public static Failure Mismatch(string message) => new(RunErrors.SchemaMismatch, message);

    /// <summary>What comes of itself is tried again as the job says; what somebody has to mend is not.</summary>
    public static Failure NoSecret(string connId, SecretLookup lookup) =>
        new(lookup.MayPass ? RunErrors.Internal : RunErrors.Unauthenticated, $"connection {connId}: {lookup.Problem}");

    /// <summary>A rule before: skipped. One after that was not delivered: suppressed. Anything else: failed.</summary>
    public string Status => Error.Category switch
    {
        ErrorCategory.PreValidation => RunStatus.Skipped,
        ErrorCategory.PostValidation or ErrorCategory.BusinessRule => RunStatus.Suppressed,
        _ => RunStatus.Failed,
    };
}
