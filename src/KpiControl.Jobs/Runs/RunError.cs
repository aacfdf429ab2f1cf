using System.Collections.Frozen;

namespace KpiControl.Jobs.Runs;

public enum ErrorCategory { Sourcing, PreValidation, PostValidation, Execution, BusinessRule, Scheduler, Contract, Access, Platform }

/// <summary>What a category of error calls for.</summary>
public enum ErrorHandling
{
    /// <summary>Retry with backoff, then fail.</summary>
    Retry,
    /// <summary>Retry with backoff, then fall back to the last good value if the job allows it, else fail.</summary>
    RetryThenLastGood,
    /// <summary>The call is not made and the occurrence is skipped.</summary>
    Skip,
    /// <summary>As <c>on_rule_fail</c> says: suppress, deliver with a warning, or stay with the last good value.</summary>
    Rule,
    /// <summary>Wait, and burn no retry.</summary>
    Wait,
    /// <summary>Fail at once.</summary>
    Fail,
}

/// <summary>One error code of a run, its category, and what is done about it.</summary>
public sealed record RunError(string Code, ErrorCategory Category)
{
    public ErrorHandling Handling => RunErrors.HandlingOf(Category);

    /// <summary>The category's word on the wire and in history: the platform's own.</summary>
    public string CategoryWord => RunErrors.WordOf(Category);
}

/// <summary>The platform's table of errors of a run.</summary>
public static class RunErrors
{
    public static readonly RunError MissingGdp = new("MISSING_GDP", ErrorCategory.Sourcing);
    public static readonly RunError LineageBreak = new("LINEAGE_BREAK", ErrorCategory.Sourcing);
    public static readonly RunError ValidationFailPre = new("VALIDATION_FAIL_PRE", ErrorCategory.PreValidation);
    public static readonly RunError ValidationFailPost = new("VALIDATION_FAIL_POST", ErrorCategory.PostValidation);
    public static readonly RunError SqlError = new("SQL_ERROR", ErrorCategory.Execution);
    public static readonly RunError ExecTimeout = new("EXEC_TIMEOUT", ErrorCategory.Execution);
    public static readonly RunError BusinessRuleFail = new("BUSINESS_RULE_FAIL", ErrorCategory.BusinessRule);
    /// <summary>The platform names no code for a dependency that is not ready; this is ours.</summary>
    public static readonly RunError NotReady = new("NOT_READY", ErrorCategory.Scheduler);
    public static readonly RunError InvalidKpiId = new("INVALID_KPI_ID", ErrorCategory.Contract);
    public static readonly RunError SchemaMismatch = new("SCHEMA_MISMATCH", ErrorCategory.Contract);
    public static readonly RunError Unauthenticated = new("UNAUTHENTICATED", ErrorCategory.Access);
    public static readonly RunError Unauthorized = new("UNAUTHORIZED", ErrorCategory.Access);
    public static readonly RunError PolicyDeny = new("POLICY_DENY", ErrorCategory.Access);
    public static readonly RunError RateLimit = new("RATE_LIMIT", ErrorCategory.Platform);
    public static readonly RunError Conflict = new("CONFLICT", ErrorCategory.Platform);
    public static readonly RunError Internal = new("INTERNAL", ErrorCategory.Platform);

    public static IReadOnlyList<RunError> All { get; } =
    [
        MissingGdp, LineageBreak, ValidationFailPre, ValidationFailPost, SqlError, ExecTimeout, BusinessRuleFail, NotReady,
        InvalidKpiId, SchemaMismatch, Unauthenticated, Unauthorized, PolicyDeny, RateLimit, Conflict, Internal,
    ];

    private static readonly FrozenDictionary<string, RunError> ByCode = All.ToFrozenDictionary(error => error.Code);

    /// <summary>The error of a code; one that is not in the table counts as <c>INTERNAL</c>, which is retried.</summary>
    public static RunError Of(string code) => ByCode.GetValueOrDefault(code) ?? Internal;

    public static ErrorHandling HandlingOf(ErrorCategory category) => category switch
    {
        ErrorCategory.Sourcing => ErrorHandling.RetryThenLastGood,
        ErrorCategory.PreValidation => ErrorHandling.Skip,
        ErrorCategory.PostValidation or ErrorCategory.BusinessRule => ErrorHandling.Rule,
        ErrorCategory.Scheduler => ErrorHandling.Wait,
        ErrorCategory.Contract or ErrorCategory.Access => ErrorHandling.Fail,
        _ => ErrorHandling.Retry,
    };

    public static string WordOf(ErrorCategory category) => category switch
    {
        ErrorCategory.Sourcing => "sourcing",
        ErrorCategory.PreValidation => "pre-validation",
        ErrorCategory.PostValidation => "post-validation",
        ErrorCategory.Execution => "execution",
        ErrorCategory.BusinessRule => "business rule",
        ErrorCategory.Scheduler => "scheduler",
        ErrorCategory.Contract => "contract",
        ErrorCategory.Access => "access",
        _ => "platform",
    };
}
