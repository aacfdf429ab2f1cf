namespace KpiControl.Control.Leases;

/// <summary>The one way onto the list of open occurrences that are not leased, for the statements that park one.</summary>
internal static class ParkedList
{
    /// <summary>
    /// A CTE behind one that is named <c>parking</c>, with <c>binding_id, lane, tenant_id, state, ready_at, deadline</c>. The ticket
    /// is a new one each time: whoever saw the entry before must not drop this one.
    /// </summary>
    public const string Upsert =
        """
        parked AS (
          INSERT INTO kpi_parked (binding_id, lane, tenant_id, state, ready_at, deadline)
          SELECT binding_id, lane, tenant_id, state, ready_at, deadline FROM parking
          ON CONFLICT (binding_id) DO UPDATE SET ticket = DEFAULT, lane = excluded.lane, state = excluded.state, ready_at = excluded.ready_at, deadline = excluded.deadline
        )
        """;
}
