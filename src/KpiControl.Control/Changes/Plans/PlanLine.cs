using KpiControl.Control.Authoring;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Changes.Plans;

/// <summary>What applying would do to one job.</summary>
internal enum PlanAction
{
    Invalid,
    Unchanged,
    /// <summary>Nothing is bound, or what is bound waits for its first approval.</summary>
    Create,
    /// <summary>Another definition.</summary>
    Rebind,
    /// <summary>The same definition; its binding's schedule, activity or source differ.</summary>
    Update,
    Pause,
    /// <summary>Not scheduled any more; its history stays.</summary>
    Remove,
}

/// <summary>What is bound, and what it does.</summary>
internal sealed record BoundState(Binding Binding, JobArtifact Job, string CanonicalJson, bool IsPaused, long LastChangeId, ChangeState? Open)
{
    /// <summary>The schedule that is in force; null where nothing is scheduled.</summary>
    public JobScheduleSpec? Schedule => Binding.ActiveFlag ? JobEdit.InForce(Job, Binding) : null;

    public KpiReference Kpi => new(Binding.KpiId, Binding.ContractVersion);
}

/// <summary>A change that waits.</summary>
internal sealed record ChangeState(long ChangeId, string ContentHash, bool Removes);

/// <summary>One job's place in a plan.</summary>
/// <param name="Artifact">Its place in the set; -1 for one that the set does not have.</param>
/// <param name="Job">Null for one that the set does not have.</param>
/// <param name="Bound">Null where nothing is bound.</param>
internal sealed record PlanLine(int Artifact, PlanAction Action, CheckedJob? Job, BoundState? Bound)
{
    /// <summary>Of what is in force; a change of who applied it alone is none.</summary>
    public bool TouchesForce => Action is PlanAction.Create or PlanAction.Rebind or PlanAction.Remove || (Action == PlanAction.Update && (ResetsSchedule || Returns));

    public bool ResetsSchedule => Bound?.Binding.ScheduleOverridden == true;

    /// <summary>It was pruned, and its source has it again.</summary>
    public bool Returns => Bound?.Binding.PrunedAt is not null;

    /// <summary>Empty where it could not be read.</summary>
    public string JobId => Job?.Reading.Remains?.JobId ?? Bound?.Binding.JobId ?? "";

    public string Region => Bound?.Binding.Region ?? Job?.Region ?? "";

    /// <summary>Whether it is scheduled afterwards.</summary>
    public bool WillRun => Action switch
    {
        PlanAction.Create => true,
        PlanAction.Remove or PlanAction.Invalid => false,
        _ => Returns || Bound!.Binding.ActiveFlag,
    };
}
