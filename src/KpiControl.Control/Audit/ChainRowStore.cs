using Dapper;
using Npgsql;

namespace KpiControl.Control.Audit;

/// <summary>Where a row of the chain stands.</summary>
/// <param name="Kind"><c>a</c> audit, <c>e</c> evidence, <c>h</c> history.</param>
internal readonly record struct RowPlace(char Kind, long Id, DateTime At);

/// <summary>A row, by the hash of its canonical form.</summary>
internal sealed record ChainRow(RowPlace Place, string Tenant, byte[] Hash);

/// <summary>
/// Rows in the form in which they are hashed and exported. PostgreSQL writes it: carrying each row here to be written cost
/// ten times the work (measured: 125 µs a run against 15). All values are text or null, so that nobody's numbers or times can
/// differ, and what to_json escapes is what RFC 8785 escapes.
/// </summary>
/// <remarks>The members are those of docs/audit-format.md. A column that comes later needs another format, or every old hash breaks.</remarks>
internal static class ChainRowStore
{
    private static readonly (char Kind, string From, string Id, string Canonical)[] Tables =
    [
        ('a', "kpi_audit", "audit_id", Canonical(
            Word("table", "audit"), Plain("id", "audit_id"), Time("recorded_at"), Text("tenant", "tenant_id"), Text("environment"), Text("actor"), Text("verb"), Text("object_kind"), Text("object_id"),
            Text("reason"), Text("before"), Text("after"), Plain("request_id"))),
        ('e', "kpi_evidence", "evidence_id", Canonical(
            Word("table", "evidence"), Plain("id", "evidence_id"), Time("recorded_at"), Text("tenant", "tenant_id"), Plain("run_id"), Plain("binding_id"), Plain("attempt_id"), Text("kind"), Text("document"))),
        ('h', "kpi_job_history", "run_id", Canonical(
            Word("table", "history"), Plain("id", "run_id"), Time("recorded_at"), Text("tenant", "tenant_id"), Plain("binding_id"), Plain("revision"), Time("scheduled_for"), Time("window_start"),
            ("business_date", Quoted("to_char(r.business_date, 'YYYY-MM-DD')")), Time("slot_last"), Plain("slot_count"), Text("trigger_kind"), Plain("attempt_id"), Plain("retry_seq"), Plain("fence_epoch"),
            Plain("session_id"), Plain("lane"), Plain("final"), Text("status"), Text("reason"), Time("started_at"), Time("finished_at"), Plain("rows_processed"), Plain("data_points"),
            Text("error_category"), Text("error_code"), Text("error_message"), Text("lineage_ref"), ("result_digest", Quoted("encode(r.result_digest, 'hex')")), Text("zone_version"))),
    ];

    private const string Hash = "sha256(convert_to({0}, 'UTF8'))";

    // What a run said about itself was recorded in its statement, so at its instant.
    private static readonly string EvidenceOfRuns = Select(Tables[1], Hash, "r.run_id = x.id AND r.recorded_at = x.at AND r.kind = 'run'");

    /// <summary>Those of the places that are there, and the evidence of the runs among them.</summary>
    public static async Task<List<ChainRow>> HashesAsync(NpgsqlConnection connection, IReadOnlyCollection<RowPlace> places, CancellationToken token)
    {
        var rows = new List<ChainRow>(places.Count);
        foreach (var table in Tables)
            await AddAsync(Select(table, Hash, $"r.{table.Id} = x.id AND r.recorded_at = x.at"), table.Kind, table.Kind);
        await AddAsync(EvidenceOfRuns, 'h', 'e');
        return rows;

        async Task AddAsync(string sql, char of, char kind) => rows.AddRange((await QueryAsync<byte[]>(connection, sql, [.. places.Where(p => p.Kind == of)], token))
            .Select(row => new ChainRow(new RowPlace(kind, row.Id, row.At), row.Tenant, row.Value)));
    }

    /// <summary>The canonical text of those of the places that are there.</summary>
    public static async Task<ILookup<RowPlace, string>> TextsAsync(NpgsqlConnection connection, IReadOnlyCollection<RowPlace> places, CancellationToken token)
    {
        var rows = new List<(RowPlace Place, string Text)>(places.Count);
        foreach (var table in Tables)
            rows.AddRange((await QueryAsync<string>(connection, Select(table, "{0}", $"r.{table.Id} = x.id AND r.recorded_at = x.at"), [.. places.Where(p => p.Kind == table.Kind)], token))
                .Select(row => (new RowPlace(table.Kind, row.Id, row.At), row.Value)));
        return rows.ToLookup(r => r.Place, r => r.Text);
    }

    private static async Task<IEnumerable<(long Id, DateTime At, string Tenant, T Value)>> QueryAsync<T>(NpgsqlConnection connection, string sql, IReadOnlyList<RowPlace> places, CancellationToken token) =>
        places.Count == 0 ? [] : await connection.QueryAsync<(long, DateTime, string, T)>(new CommandDefinition(
            sql, new { ids = places.Select(p => p.Id).ToArray(), times = places.Select(p => p.At).ToArray() }, cancellationToken: token));

    private static string Select((char Kind, string From, string Id, string Canonical) table, string value, string where) =>
        $"""
        SELECT r.{table.Id} AS id, r.recorded_at AS at, r.tenant_id AS tenant, {value.Replace("{0}", table.Canonical, StringComparison.Ordinal)} AS value
          FROM unnest(@ids, @times) AS x(id, at) JOIN {table.From} r ON {where}
        """;

    private static (string Name, string Json) Word(string name, string word) => (name, $"'\"{word}\"'");

    private static (string Name, string Json) Text(string name, string? column = null) => (name, $"coalesce(to_json(r.{column ?? name}::text)::text, 'null')");

    /// <summary>A number, a UUID or a boolean: nothing in it needs to be escaped, and escaping was half of the work.</summary>
    private static (string Name, string Json) Plain(string name, string? column = null) => (name, Quoted($"r.{column ?? name}"));

    private static (string Name, string Json) Time(string column) => (column, Quoted($"""to_char(r.{column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""));

    private static string Quoted(string value) => $"coalesce('\"' || {value} || '\"', 'null')";

    // RFC 8785: members in the order of their names, nothing between the tokens. concat writes into one buffer, where || copies
    // what it has for each token.
    private static string Canonical(params (string Name, string Json)[] members) =>
        "concat(" + string.Join(", ", members.OrderBy(m => m.Name, StringComparer.Ordinal).Select((m, i) => $"'{(i == 0 ? '{' : ',')}\"{m.Name}\":', {m.Json}")) + ", '}')";
}
