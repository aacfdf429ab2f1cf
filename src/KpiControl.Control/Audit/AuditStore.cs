using Dapper;
using KpiControl.Control.Requests;
using Npgsql;

namespace KpiControl.Control.Audit;

/// <summary>Audit rows are only ever added, in the transaction of what they tell of, each with its entry for the chain.</summary>
internal static class AuditStore
{
    private const string Append = """
        WITH a AS (
          INSERT INTO kpi_audit (tenant_id, environment, actor, verb, object_kind, object_id, reason, before, after, request_id)
          VALUES (@TenantId, @Environment, @Actor, @Verb, @ObjectKind, @ObjectId, @Reason, @Before::jsonb, @After::jsonb, @RequestId)
          RETURNING audit_id)
        INSERT INTO kpi_chain_pending (audit_ids) SELECT array_agg(audit_id) FROM a
        """;

    /// <summary>By the caller, with the caller's request id.</summary>
    public static Task AppendAsync(RequestTransaction tx, AuditEntry entry) => tx.ExecuteAsync(Append, entry with { RequestId = tx.RequestId });

    private const string AppendAll = """
        WITH a AS (
          INSERT INTO kpi_audit (tenant_id, environment, actor, verb, object_kind, object_id, reason, before, after, request_id)
          SELECT x.tenant_id, x.environment, x.actor, x.verb, x.object_kind, x.object_id, x.reason, x.before::jsonb, x.after::jsonb, @requestId
            FROM jsonb_to_recordset(@entries::jsonb) AS x(tenant_id text, environment text, actor text, verb text, object_kind text, object_id text, reason text, before text, after text)
          RETURNING audit_id)
        INSERT INTO kpi_chain_pending (audit_ids) SELECT array_agg(audit_id) FROM a HAVING count(*) > 0
        """;

    /// <summary>Many at once, likewise.</summary>
    public static Task AppendAsync(RequestTransaction tx, IReadOnlyList<AuditEntry> entries) =>
        tx.ExecuteAsync(AppendAll, new { entries = AuditEntry.Json(entries), requestId = tx.RequestId });

    /// <summary>By the system itself, on a connection that holds its transaction.</summary>
    public static Task AppendAsync(NpgsqlConnection connection, AuditEntry entry, CancellationToken token) =>
        connection.ExecuteAsync(new CommandDefinition(Append, entry, cancellationToken: token));
}
