using KpiControl.Jobs.Schedules;

namespace KpiControl.Control.Leases;

/// <summary>What the open occurrence becomes at once; stored in <c>kpi_job_runtime.occ_state</c>.</summary>
internal enum TakeAs
{
    /// <summary>Leased to a session.</summary>
    Leased,
    /// <summary>Waiting for its dependencies.</summary>
    Waiting,
    /// <summary>Ready, and nobody can take it yet.</summary>
    Ready,
    /// <summary>No occurrence opens: the cursor moves, and what was missed is recorded or queued.</summary>
    Nothing,
}

/// <summary>What is to become of a due cursor; one row of the statement that moves it.</summary>
internal sealed record SlotTake
{
    public required BindingPlan Plan { get; init; }
    /// <summary>The cursor as seen.</summary>
    public required DateTimeOffset Seen { get; init; }
    public required DateTimeOffset? NextCursor { get; init; }
    public required TakeAs As { get; init; }
    /// <summary>The slot that opens; where nothing opens, the cursor.</summary>
    public required DateTimeOffset Slot { get; init; }
    public DateTimeOffset? WindowStart { get; init; }
    public required DateOnly BusinessDate { get; init; }
    public DateTimeOffset? GivesUpAt { get; init; }
    public Guid Attempt { get; init; }
    public SessionRef Session { get; init; }
    public TimeSpan Timeout { get; init; }
    public WaitingFor? Reason { get; init; }
    public IReadOnlyList<SkippedSlots> Skipped { get; init; } = [];
    /// <summary>Slots to catch up with, one by one.</summary>
    public IReadOnlyList<SlotRange> Queued { get; init; } = [];
}
