namespace KpiControl.Control.Leases;

/// <summary>The numbers of <see cref="OccurrenceKind"/>, for statements.</summary>
internal static class KindNumber
{
    public const string Schedule = "0", Replay = "3", Backfill = "4", Restatement = "5";
}

/// <summary>The numbers of <see cref="WaitingFor"/>, for statements.</summary>
internal static class ReasonNumber
{
    public const string Dependency = "1", Retry = "2", Agent = "3", LeaseLost = "5", Returned = "6";
}
