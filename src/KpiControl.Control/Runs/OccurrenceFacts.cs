using KpiControl.Control.Authoring;
using KpiControl.Control.Leases;
using KpiControl.Control.Signals;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Runs;

/// <summary>All that is known about one occurrence: what an explanation is told from.</summary>
internal sealed record OccurrenceFacts
{
    public required Binding Binding { get; init; }
    public required SlotKey Slot { get; init; }
    public required DateTimeOffset Now { get; init; }
    /// <summary>Null: nothing was in force.</summary>
    public RevisionRow? Revision { get; init; }
    public BindingSchedule? Schedule { get; init; }
    /// <summary>What came into force after the slot, while the occurrence was open.</summary>
    public IReadOnlyList<RevisionRow> LaterRevisions { get; init; } = [];
    /// <summary>Who asked for an occurrence that no schedule made, where that is known.</summary>
    public RequestedRow? AskedFor { get; init; }
    /// <summary>The caller named no occurrence: this one was chosen, and the answer says why.</summary>
    public bool IsAnswerToNothing { get; init; }
    /// <summary>What stood over the definition meanwhile.</summary>
    public IReadOnlyList<StoodRow> Overrides { get; init; } = [];
    public IReadOnlyList<PauseRow> Pauses { get; init; } = [];
    /// <summary>Its attempts and dispositions, in order.</summary>
    public IReadOnlyList<RunRow> Runs { get; init; } = [];
    public IReadOnlyList<EvidenceRow> LateReports { get; init; } = [];
    public CursorRow? Cursor { get; init; }
    /// <summary>Itself, where it is open.</summary>
    public OpenRow? Open { get; init; }
    /// <summary>The occurrence that holds the binding, where that is another one.</summary>
    public OpenRow? Holder { get; init; }
    public IReadOnlyList<DependencyState> Missing { get; init; } = [];
    public IReadOnlyList<LiveAgent> Agents { get; init; } = [];
    /// <summary>What the job as it stands now needs of an agent; null where its definition cannot be read.</summary>
    public AgentNeeds? Needs { get; init; }

    /// <summary>The definition that was in force; null where it cannot be read.</summary>
    public JobArtifact? Job { get; init; }
    /// <summary>The attempt of another occurrence that ran while the slot came due, where that kept it.</summary>
    public OtherRow? HeldBy { get; init; }
    /// <summary>Of a slot that was superseded, the one that ran.</summary>
    public OtherRow? InItsPlace { get; init; }
    /// <summary>Other occurrences that ran for the business date.</summary>
    public IReadOnlyList<OtherRow> OfTheDate { get; init; } = [];
    /// <summary>What the job depends on, with when it was there.</summary>
    public IReadOnlyList<ArrivalRow> Arrivals { get; init; } = [];
    /// <summary>Of the contract that the job names now.</summary>
    public string? ContractStatus { get; init; }
    /// <summary>Who made it inactive, of a slot that was skipped for it.</summary>
    public ContractMoveRow? ContractMove { get; init; }

    public bool IsSlot => Slot.Kind != "schedule" || Schedule?.Schedule.IsExpected(Slot.ScheduledFor) == true;
    public DateOnly? BusinessDate => Open?.BusinessDate ?? (Runs.Count > 0 ? Runs[^1].BusinessDate : null);
    public RunRow? Final => Runs.LastOrDefault(r => r.Final);
    public bool IsPast => Slot.ScheduledFor <= Now;
    /// <summary>Due, and not taken up by any node.</summary>
    public bool IsDue => Open is null && Final is null && IsPast && Cursor?.NextRunAt <= Slot.ScheduledFor;
}
