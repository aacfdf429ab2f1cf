using KpiControl.Control.Overrides;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calls;
using KpiControl.Jobs.Runs;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Control.Leases;

/// <summary>What a revision of a binding puts in force, ready for the hot path; immutable, so that nodes may keep it.</summary>
internal sealed record BindingPlan
{
    public required long BindingId { get; init; }
    public required int Revision { get; init; }
    public required string Tenant { get; init; }
    public required string Environment { get; init; }
    public required string Region { get; init; }
    public required string ContentHash { get; init; }
    public required string SchemaVersion { get; init; }
    public required string ContractDigest { get; init; }
    public required string ZoneVersion { get; init; }
    /// <summary>The contract's canonical JSON, as the executor needs it.</summary>
    public required string ContractJson { get; init; }
    /// <summary>The KPI Call of the definition, rendered but for what differs by occurrence.</summary>
    public required KpiCall Call { get; init; }
    public required JobArtifact Job { get; init; }
    /// <summary>With what stands over the definition's.</summary>
    public required JobSchedule Schedule { get; init; }
    public OverrideList Overrides { get; init; } = OverrideList.None;
    /// <summary>The lane for slots that are caught up with.</summary>
    public required short CatchupLane { get; init; }

    /// <summary>Null where policy asked for none.</summary>
    public PlanApproval? Approval { get; init; }

    public AgentNeeds Needs => field ??= AgentNeeds.Of(Job.Run);

    public RunStages Stages => field ??= RunStages.Of(Job.Run);

    /// <summary>GDP tables that the KPI is computed from.</summary>
    public required IReadOnlyList<string> Tables { get; init; }

    /// <summary>The call of an occurrence: a restatement asks for the restated view, whatever the definition says.</summary>
    public KpiCall CallOf(OccurrenceKind kind) => kind == OccurrenceKind.Restatement ? RestatedCall : Call;

    public string ScdViewOf(OccurrenceKind kind) => kind == OccurrenceKind.Restatement ? KpiCall.RestatedView : Job.Runtime.ScdView;

    private KpiCall RestatedCall => field ??= Call.Restated();

    /// <summary>Of an attempt that is granted at an instant.</summary>
    public TimeSpan TimeoutAt(DateTimeOffset now) => Overrides.Timeout(Job, now);

    public bool HasDependencies =>
        Job.Dependencies.Gdp.Count + Job.Dependencies.Signals.Count + Job.Dependencies.Kpis.Count > 0;

    /// <summary>Several of its occurrences may run at once.</summary>
    public bool RunsBesideItself => Job.Schedule.Overlap == "allow";

    public DateOnly BusinessDateOf(DateTimeOffset slot) => Schedule.BusinessDate(slot, Job.Dependencies.BusinessDate);

    /// <summary>When an occurrence that could not start gives up: before its successor is due, so that the two never meet.</summary>
    public DateTimeOffset? GivesUpAt(DateTimeOffset slot)
    {
        var beforeNext = Schedule.Next(slot) - TimeSpan.FromSeconds(1);
        var byTimeout = slot + Job.Dependencies.WaitTimeout;
        return byTimeout is null || (beforeNext is not null && beforeNext < byTimeout) ? beforeNext : byTimeout;
    }

    /// <summary>
    /// When an occurrence gives up whose dependencies were not ready for an attempt that was granted at an instant. A slot of the past
    /// (caught up with, backfilled) waits from then on, as long as it would have in its own time.
    /// </summary>
    public DateTimeOffset? GivesUpAt(DateTimeOffset slot, DateTimeOffset? grantedAt) =>
        GivesUpAt(slot) is { } inItsTime && inItsTime <= grantedAt ? grantedAt + (inItsTime - slot) : GivesUpAt(slot);
}

/// <summary>The change that put a definition in force, and who agreed to exactly that.</summary>
/// <param name="Digest">What the approvals signed.</param>
/// <param name="Approvers">Each with the capacity: <c>business: ann</c>.</param>
internal sealed record PlanApproval(long ChangeId, string Digest, IReadOnlyList<string> Approvers);
