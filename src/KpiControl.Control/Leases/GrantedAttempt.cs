namespace KpiControl.Control.Leases;

/// <summary>What a node knows of an attempt it granted.</summary>
internal sealed record GrantedAttempt(BindingPlan Plan, int RetriesUsed, DateOnly BusinessDate, DateTimeOffset ScheduledFor, OccurrenceKind Kind)
{
    /// <summary>What the job promises is promised of what it reports, and not of what that is restated as.</summary>
    public bool IsPromised => Kind != OccurrenceKind.Restatement;

    /// <summary>The agent said that it began. One that comes back and no longer holds it may have died of it.</summary>
    public bool HasBegun { get; set; }
}
