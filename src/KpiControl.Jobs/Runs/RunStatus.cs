namespace KpiControl.Jobs.Runs;

/// <summary>How an occurrence ends, and how one try at it ends; stored and returned in these words.</summary>
public static class RunStatus
{
    public const string Success = "success";
    /// <summary>Delivered with a fallback or a warning, or with a stage skipped.</summary>
    public const string Partial = "partial";
    public const string Failed = "failed";
    /// <summary>A rule failed after the call: computed, and not delivered.</summary>
    public const string Suppressed = "suppressed";
    public const string Cancelled = "cancelled";
    public const string Skipped = "skipped";
    /// <summary>Of an attempt only: its lease was gone before it reported. The occurrence goes on.</summary>
    public const string Lost = "lost";

    public static IReadOnlyList<string> Dispositions { get; } = [Success, Partial, Failed, Suppressed, Cancelled, Skipped];

    public static IReadOnlyList<string> OfAttempts { get; } = [.. Dispositions, Lost];
}

/// <summary>Why an occurrence was skipped.</summary>
public static class SkipReason
{
    public const string Overlap = "overlap";
    public const string Paused = "paused";
    public const string Holiday = "holiday";
    public const string Blackout = "blackout";
    /// <summary>A dependency was not ready within <c>wait_timeout</c>.</summary>
    public const string NotReady = "not_ready";
    public const string PreValidation = "pre_validation";
    public const string ContractInactive = "contract_inactive";
    /// <summary>A newer slot ran in its place (<c>catchup: latest</c>).</summary>
    public const string Superseded = "superseded";
    /// <summary>Came and went unseen, and is not caught up with.</summary>
    public const string MissedWindow = "missed_window";
    /// <summary>No agent could have taken it.</summary>
    public const string Unroutable = "unroutable";

    public static IReadOnlyList<string> All { get; } =
        [Overlap, Paused, Holiday, Blackout, NotReady, PreValidation, ContractInactive, Superseded, MissedWindow, Unroutable];
}

/// <summary>Why an attempt or its occurrence ended, where the attempts' error codes do not say it.</summary>
public static class FailReason
{
    /// <summary>Set aside after too many lost leases.</summary>
    public const string LeaseLost = "lease_lost";
    /// <summary>Given back unrun; never counted as a loss.</summary>
    public const string Returned = "returned";
}
