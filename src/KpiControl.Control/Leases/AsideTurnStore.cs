using Dapper;
using Npgsql;

namespace KpiControl.Control.Leases;

/// <summary>
/// The turn in the runtime row of an occurrence that stands aside. Whatever is done to an open occurrence is one conditional statement on
/// <c>kpi_job_runtime</c>; one that stands aside is put there for it, and what was there is put back, in one transaction that holds the row:
/// nobody sees the one in the other's place.
/// </summary>
internal static class AsideTurnStore
{
    /// <summary>All that the runtime row says of its open occurrence, and <c>kpi_aside</c> of one that stands aside.</summary>
    internal const string Facts =
        "occ_state, occ_scheduled_for, occ_kind, occ_window_start, occ_business_date, occ_reason, occ_retry_at, occ_deadline, occ_lane, occ_pinned, occ_revision, occ_cancel, occ_lost_as, retry_count, attempt_id, session_id, generation, lease_deadline, fence_n, fence_epoch";

    private const string LockSql = "SELECT binding_id FROM kpi_job_runtime WHERE binding_id = ANY (@ids) ORDER BY binding_id FOR NO KEY UPDATE";

    /// <summary>Runtime rows first and in order, as everybody takes them; before any turn.</summary>
    public static Task LockAsync(NpgsqlConnection connection, IEnumerable<long> bindings, CancellationToken token) =>
        connection.ExecuteAsync(new CommandDefinition(LockSql, new { ids = bindings.Distinct().ToArray() }, cancellationToken: token));

    // The rows are held: each statement of the transaction sees what the one before it left. kpi_parked lists what is in the row.
    private const string SwapSql =
        $"""
        WITH x AS (
          SELECT * FROM unnest(@ids, @slots, @kinds) AS x(binding_id, slot, kind)
        ), a AS (
          DELETE FROM kpi_aside a USING x WHERE a.binding_id = x.binding_id AND a.occ_scheduled_for = x.slot AND a.occ_kind = x.kind RETURNING a.*
        ), was AS MATERIALIZED (
          SELECT rt.* FROM kpi_job_runtime rt JOIN a USING (binding_id)
        ), put AS (
          INSERT INTO kpi_aside (binding_id, tenant_id, {Facts}) SELECT binding_id, tenant_id, {Facts} FROM was WHERE occ_state IS NOT NULL
        ), u AS (
          UPDATE kpi_job_runtime rt SET ({Facts}) = (SELECT {Facts} FROM a WHERE a.binding_id = rt.binding_id), aside = rt.aside - CASE WHEN rt.occ_state IS NULL THEN 1 ELSE 0 END
            FROM a came WHERE rt.binding_id = came.binding_id
          RETURNING rt.binding_id, coalesce(rt.occ_lane, abs(rt.lane)) AS lane, rt.tenant_id, rt.occ_state AS state, coalesce(rt.occ_retry_at, now()) AS ready_at, rt.occ_deadline AS deadline
        ), unparked AS (
          DELETE FROM kpi_parked k USING u WHERE k.binding_id = u.binding_id AND u.state = 'L'
        ), parking AS (
          SELECT * FROM u WHERE state <> 'L'
        ),
        """ + ParkedList.Upsert +
        """
        SELECT was.binding_id, was.occ_state IS NOT NULL AS was_open, was.occ_scheduled_for AS scheduled_for, was.occ_kind AS kind FROM was JOIN u USING (binding_id)
        """;

    /// <summary>Serves each while it is in its binding's row, which the transaction holds. What another one left no room for is put back; where the row was free it stays.</summary>
    /// <param name="serve">Gets those that are in their rows now, in order of their bindings: one of each.</param>
    public static async Task ServeAsync(NpgsqlConnection connection, IEnumerable<AsideKey> keys, Func<IReadOnlyList<AsideKey>, Task> serve, CancellationToken token)
    {
        foreach (var round in Rounds(keys))
        {
            var displaced = await SwapAsync(connection, round, token);
            var came = displaced.Select(one => one.BindingId).ToHashSet();
            if (came.Count == 0)
                continue;
            await serve([.. round.Where(key => came.Contains(key.BindingId))]);
            await SwapAsync(connection, [.. displaced.Where(one => one.WasOpen).Select(one => new AsideKey(one.BindingId, one.ScheduledFor, one.Kind))], token);
        }
    }

    private static IEnumerable<List<AsideKey>> Rounds(IEnumerable<AsideKey> keys) =>
        keys.GroupBy(key => key.BindingId).SelectMany(ofBinding => ofBinding.Select((key, round) => (Key: key, Round: round)))
            .GroupBy(one => one.Round, one => one.Key).OrderBy(round => round.Key).Select(round => round.OrderBy(key => key.BindingId).ToList());

    private static async Task<IReadOnlyList<DisplacedRow>> SwapAsync(NpgsqlConnection connection, IReadOnlyList<AsideKey> keys, CancellationToken token) =>
        keys.Count == 0 ? [] : (await connection.QueryAsync<DisplacedRow>(new CommandDefinition(SwapSql, new
        {
            ids = keys.Select(key => key.BindingId).ToArray(), slots = keys.Select(key => key.ScheduledFor.UtcDateTime).ToArray(), kinds = keys.Select(key => key.Kind).ToArray(),
        }, cancellationToken: token))).AsList();

    private sealed record DisplacedRow
    {
        public long BindingId { get; init; }
        public bool WasOpen { get; init; }
        public DateTimeOffset ScheduledFor { get; init; }
        public short Kind { get; init; }
    }
}

/// <summary>An occurrence that stands aside.</summary>
internal sealed record AsideKey(long BindingId, DateTimeOffset ScheduledFor, short Kind);
