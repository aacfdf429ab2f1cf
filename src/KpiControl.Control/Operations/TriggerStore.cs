using KpiControl.Control.Leases;
using KpiControl.Control.Requests;

namespace KpiControl.Control.Operations;

internal sealed record TriggerFacts
{
    public required string CanonicalJson { get; init; }
    public required string ContractStatus { get; init; }
    public bool Active { get; init; }
    public bool Paused { get; init; }
    public DateTimeOffset Now { get; init; }
}

internal sealed record Triggered
{
    public required long BindingId { get; init; }
    public required string SlotKey { get; init; }
    public required DateTimeOffset At { get; init; }
    public required DateTimeOffset? WindowStart { get; init; }
    public required DateOnly BusinessDate { get; init; }
    public required string By { get; init; }
    public required string Reason { get; init; }
    public short Kind { get; init; } = (short)OccurrenceKind.Manual;
    /// <summary>The revision that it runs by, whatever is in force; null: what is in force then.</summary>
    public int? PinnedRevision { get; init; }
}

/// <summary>Occurrences that people ask for: they queue, and open when their binding is free.</summary>
internal static class TriggerStore
{
    // clock_timestamp: two triggers of one binding follow one another, and each has an instant of its own.
    private const string Facts = """
        SELECT d.canonical_json, c.status AS contract_status, rt.active, COALESCE(rt.paused_until > now(), false) AS paused, clock_timestamp() AS now
          FROM kpi_job_binding b
          JOIN kpi_job_def d USING (def_id)
          JOIN kpi_job_runtime rt USING (binding_id)
          JOIN kpi_contract c ON c.tenant_id = b.tenant_id AND c.kpi_id = b.kpi_id AND c.version = b.contract_version
         WHERE b.binding_id = @bindingId
        """;

    public static async Task<TriggerFacts> FactsAsync(RequestTransaction tx, long bindingId) =>
        await tx.FindAsync<TriggerFacts>(Facts, new { bindingId }) ?? throw new InvalidOperationException($"Binding {bindingId} has no rows.");

    private const string Queue = """
        WITH rt AS (
          UPDATE kpi_job_runtime SET queued = queued + 1
           WHERE binding_id = @BindingId AND active AND (paused_until IS NULL OR paused_until <= now())
          RETURNING binding_id, tenant_id, abs(lane)::smallint AS lane, revision
        ), slot AS (
          INSERT INTO kpi_slot (binding_id, slot_key, tenant_id) SELECT binding_id, @SlotKey, tenant_id FROM rt
        ), o AS (
          INSERT INTO kpi_occurrence (binding_id, scheduled_for, kind, last_slot, lane, window_start, business_date, revision, tenant_id, requested_by, reason, pinned)
          SELECT binding_id, @At, @Kind, @At, lane, @WindowStart, @BusinessDate, coalesce(@PinnedRevision::int, revision), tenant_id, @By, @Reason, @PinnedRevision::int IS NOT NULL FROM rt
        )
        SELECT lane FROM rt
        """;

    private const string KeysLike = """
        SELECT slot_key FROM kpi_slot WHERE binding_id = @bindingId AND slot_key LIKE @prefix || '%'
        """;

    public static Task<IReadOnlyList<string>> KeysLikeAsync(RequestTransaction tx, long bindingId, string prefix) => tx.QueryAsync<string>(KeysLike, new { bindingId, prefix });

    /// <returns>The lane it queues in; null where the binding is paused or inactive.</returns>
    public static Task<short?> QueueAsync(RequestTransaction tx, Triggered occurrence) => tx.FindAsync<short?>(Queue, occurrence);
}
