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

    /// <summary>By the system itself, on a connection that holds its transaction.</summary>
    public static Task AppendAsync(NpgsqlConnection connection, AuditEntry entry, CancellationToken token) =>
        connection.ExecuteAsync(new CommandDefinition(Append, entry, cancellationToken: token));
}
