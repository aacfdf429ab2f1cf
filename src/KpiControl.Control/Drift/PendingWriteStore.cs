using Dapper;
using KpiControl.Control.Audit;
using KpiControl.Control.Database;
using KpiControl.Control.Drift.Stores;

namespace KpiControl.Control.Drift;

/// <summary>What waits to be written to a store, and what became of it.</summary>
internal sealed class PendingWriteStore(Databases databases)
{
    private const string Pending = """
        SELECT w.write_id, w.binding_id, w.path, w.content_hash, w.seen_version, w.over_hashes, w.cause, w.reason, w.requested_by, b.tenant_id, b.environment, b.job_id, d.format, d.content, d.canonical_json, b.def_id <> w.def_id AS is_overtaken,
               b.pruned_at IS NOT NULL AS is_taken_away
          FROM kpi_store_write w JOIN kpi_job_binding b USING (binding_id) JOIN kpi_job_def d ON d.def_id = w.def_id
         WHERE w.store = @Store AND w.store_state = 'pending' ORDER BY w.write_id LIMIT 200
        """;

    public async Task<IReadOnlyList<PendingWrite>> OfAsync(ClaimedStore claimed, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<PendingWrite>(new CommandDefinition(Pending, new { claimed.Store }, cancellationToken: token))).AsList();
    }

    private const string End = """
        UPDATE kpi_store_write SET store_state = @State, problem = @Problem, stored_commit = @Commit, tries = tries + 1, ended_at = CASE WHEN @State = 'pending' THEN NULL ELSE now() END
         WHERE write_id = @WriteId AND store_state = 'pending' RETURNING write_id
        """;

    // It was taken back, or something else was bound, between the push and this: the store holds it all the same, and its next reading shows that.
    private const string Late = """
        UPDATE kpi_store_write SET stored_commit = @Commit, tries = tries + 1, problem = problem || '; a pass that was under way had written it by then' WHERE write_id = @WriteId AND store_state = 'refused'
        """;

    /// <summary>What was written is written, whoever is at the store by now: a write is one by its hash.</summary>
    public async Task EndAsync(PendingWrite write, WriteOutcome outcome, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        var ended = await connection.ExecuteScalarAsync<long?>(new CommandDefinition(End, new { write.WriteId, outcome.State, outcome.Problem, outcome.Commit }, transaction, cancellationToken: token));
        if (ended is null && outcome.IsStored)
            await connection.ExecuteAsync(new CommandDefinition(Late, new { write.WriteId, outcome.Commit }, transaction, cancellationToken: token));
        if (ended is not null && outcome.State != WriteOutcome.Pending)
            await AuditStore.AppendAsync(connection, new AuditEntry
            {
                TenantId = write.TenantId, Environment = write.Environment, Actor = "system", Verb = write.Cause == "applied" ? "Update" : "Rollback", ObjectKind = "store_write", ObjectId = FormattableString.Invariant($"{write.WriteId}"),
                Reason = write.Reason, After = AuditEntry.Json(new { StoreState = outcome.State, write.BindingId, write.Path, write.ContentHash, outcome.Commit, outcome.Problem, write.RequestedBy }),
            }, token);
        await transaction.CommitAsync(token);
    }
}
