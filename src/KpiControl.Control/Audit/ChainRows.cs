using System.Text.Json.Nodes;
using Dapper;
using KpiControl.Jobs.Evidence;
using Npgsql;

namespace KpiControl.Control.Audit;

/// <summary>Where a row of the chain stands.</summary>
/// <param name="Kind"><c>a</c> audit, <c>e</c> evidence, <c>h</c> history.</param>
internal readonly record struct RowPlace(char Kind, long Id, DateTime At);

/// <summary>A row in the form in which it is hashed and exported.</summary>
internal sealed record ChainRow(RowPlace Place, string Tenant, JsonNode Canonical)
{
    public string Hash { get; } = ChainLink.HashOf(Canonical);
}

/// <summary>
/// Reads rows in their canonical form: all values are text or null, so that no reader's numbers or times can differ. The
/// members are those of docs/audit-format.md: a column that comes later needs another format, or every old hash breaks.
/// </summary>
internal static class ChainRows
{
    private const string Time = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'""";

    private const string Audit =
        $"""
        SELECT 'a' AS kind, a.audit_id AS id, a.recorded_at AS at, a.tenant_id AS tenant, jsonb_build_object(
                 'table', 'audit', 'id', a.audit_id::text, 'recorded_at', to_char(a.recorded_at AT TIME ZONE 'UTC', {Time}), 'tenant', a.tenant_id,
                 'environment', a.environment, 'actor', a.actor, 'verb', a.verb, 'object_kind', a.object_kind, 'object_id', a.object_id,
                 'reason', a.reason, 'before', a.before::text, 'after', a.after::text, 'request_id', a.request_id::text)::text AS canonical
          FROM unnest(@ids, @times) AS x(id, at) JOIN kpi_audit a ON a.audit_id = x.id AND a.recorded_at = x.at
        """;

    private const string EvidenceColumns =
        $"""
        SELECT 'e' AS kind, e.evidence_id AS id, e.recorded_at AS at, e.tenant_id AS tenant, jsonb_build_object(
                 'table', 'evidence', 'id', e.evidence_id::text, 'recorded_at', to_char(e.recorded_at AT TIME ZONE 'UTC', {Time}), 'tenant', e.tenant_id,
                 'run_id', e.run_id::text, 'binding_id', e.binding_id::text, 'attempt_id', e.attempt_id::text, 'kind', e.kind, 'document', e.document::text)::text AS canonical
        """;

    private const string Evidence = $"{EvidenceColumns} FROM unnest(@ids, @times) AS x(id, at) JOIN kpi_evidence e ON e.evidence_id = x.id AND e.recorded_at = x.at";

    private const string EvidenceOfRuns = $"{EvidenceColumns} FROM unnest(@ids, @times) AS x(id, at) JOIN kpi_evidence e ON e.run_id = x.id AND e.recorded_at = x.at AND e.kind = 'run'";

    private const string History =
        $"""
        SELECT 'h' AS kind, h.run_id AS id, h.recorded_at AS at, h.tenant_id AS tenant, jsonb_build_object(
                 'table', 'history', 'id', h.run_id::text, 'recorded_at', to_char(h.recorded_at AT TIME ZONE 'UTC', {Time}), 'tenant', h.tenant_id,
                 'binding_id', h.binding_id::text, 'revision', h.revision::text, 'scheduled_for', to_char(h.scheduled_for AT TIME ZONE 'UTC', {Time}),
                 'window_start', to_char(h.window_start AT TIME ZONE 'UTC', {Time}), 'business_date', to_char(h.business_date, 'YYYY-MM-DD'),
                 'slot_last', to_char(h.slot_last AT TIME ZONE 'UTC', {Time}), 'slot_count', h.slot_count::text, 'trigger_kind', h.trigger_kind,
                 'attempt_id', h.attempt_id::text, 'retry_seq', h.retry_seq::text, 'fence_epoch', h.fence_epoch::text, 'session_id', h.session_id::text, 'lane', h.lane::text,
                 'final', h.final::text, 'status', h.status, 'reason', h.reason, 'started_at', to_char(h.started_at AT TIME ZONE 'UTC', {Time}),
                 'finished_at', to_char(h.finished_at AT TIME ZONE 'UTC', {Time}), 'rows_processed', h.rows_processed::text, 'data_points', h.data_points::text,
                 'error_category', h.error_category, 'error_code', h.error_code, 'error_message', h.error_message, 'lineage_ref', h.lineage_ref,
                 'result_digest', encode(h.result_digest, 'hex'), 'zone_version', h.zone_version)::text AS canonical
          FROM unnest(@ids, @times) AS x(id, at) JOIN kpi_job_history h ON h.run_id = x.id AND h.recorded_at = x.at
        """;

    /// <summary>Those of the places that are there.</summary>
    public static async Task<List<ChainRow>> ReadAsync(NpgsqlConnection connection, IReadOnlyCollection<RowPlace> places, CancellationToken token)
    {
        var rows = new List<ChainRow>(places.Count);
        foreach (var (kind, sql) in new[] { ('a', Audit), ('e', Evidence), ('h', History) })
            rows.AddRange(await QueryAsync(connection, sql, [.. places.Where(p => p.Kind == kind)], token));
        return rows;
    }

    /// <summary>What the runs said about themselves when they were recorded.</summary>
    public static Task<IEnumerable<ChainRow>> EvidenceOfRunsAsync(NpgsqlConnection connection, IReadOnlyList<RowPlace> runs, CancellationToken token) =>
        QueryAsync(connection, EvidenceOfRuns, runs, token);

    private static async Task<IEnumerable<ChainRow>> QueryAsync(NpgsqlConnection connection, string sql, IReadOnlyList<RowPlace> places, CancellationToken token)
    {
        if (places.Count == 0)
            return [];
        var found = await connection.QueryAsync<(string Kind, long Id, DateTime At, string Tenant, string Canonical)>(new CommandDefinition(
            sql, new { ids = places.Select(p => p.Id).ToArray(), times = places.Select(p => p.At).ToArray() }, cancellationToken: token));
        return found.Select(row => new ChainRow(new RowPlace(row.Kind[0], row.Id, row.At), row.Tenant, JsonNode.Parse(row.Canonical)!));
    }
}
