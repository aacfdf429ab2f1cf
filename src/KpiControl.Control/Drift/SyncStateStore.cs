using System.Text.Json;
using Dapper;
using KpiControl.Control.Audit;
using KpiControl.Control.Database;
using Npgsql;

namespace KpiControl.Control.Drift;

/// <summary>What is known of the stores, written by passes: each under its own fence, so that one that was overtaken writes nothing.</summary>
internal sealed class SyncStateStore(Databases databases)
{
    private static readonly JsonSerializerOptions Words = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    // A store that is given to another tenant or environment is another store: nobody sees what was read of the former.
    private const string DropMoved = """
        WITH x AS (SELECT * FROM jsonb_to_recordset(@stores::jsonb) AS x(store text, tenant text, environment text)),
        moved AS (SELECT s.store FROM kpi_store s JOIN x USING (store) WHERE (s.tenant_id, s.environment) <> (x.tenant, x.environment)),
        refs AS (DELETE FROM kpi_source_ref r USING moved m WHERE r.store = m.store)
        DELETE FROM kpi_store_artifact a USING moved m WHERE a.store = m.store
        """;

    private const string Put = """
        INSERT INTO kpi_store AS s (store, tenant_id, environment, kind, location, branch, paths, writes_applied, new_jobs, signed)
        SELECT x.store, x.tenant, x.environment, x.kind, x.location, x.branch, x.paths, x.writes_applied, x.new_jobs, x.signed
          FROM jsonb_to_recordset(@stores::jsonb) AS x(store text, tenant text, environment text, kind text, location text, branch text, paths text[], writes_applied boolean, new_jobs text, signed boolean)
         ORDER BY x.store
        ON CONFLICT (store) DO UPDATE SET tenant_id = EXCLUDED.tenant_id, environment = EXCLUDED.environment, kind = EXCLUDED.kind, location = EXCLUDED.location,
           branch = EXCLUDED.branch, paths = EXCLUDED.paths, configured = true, writes_applied = EXCLUDED.writes_applied, new_jobs = EXCLUDED.new_jobs, signed = EXCLUDED.signed,
           version = NULL, reads_all = true, next_pass_at = now()
         WHERE NOT s.configured
            OR (s.tenant_id, s.environment, s.kind, s.location, s.branch, s.paths, s.writes_applied, s.new_jobs, s.signed)
               IS DISTINCT FROM (EXCLUDED.tenant_id, EXCLUDED.environment, EXCLUDED.kind, EXCLUDED.location, EXCLUDED.branch, EXCLUDED.paths, EXCLUDED.writes_applied, EXCLUDED.new_jobs, EXCLUDED.signed)
        """;

    private const string Retire = """
        UPDATE kpi_store SET configured = false WHERE configured AND store <> ALL (@names)
        """;

    /// <summary>What the settings say.</summary>
    public async Task PutAsync(IReadOnlyDictionary<string, StoreSettings> stores, CancellationToken token)
    {
        var rows = JsonSerializer.Serialize(stores.Select(store => new
        {
            Store = store.Key, store.Value.Tenant, store.Value.Environment, store.Value.Kind, store.Value.Location, Branch = store.Value.IsGit ? store.Value.Branch : null, Paths = store.Value.Patterns,
            store.Value.WritesApplied, NewJobs = store.Value.NewJobs.Length > 0 ? store.Value.NewJobs : null, Signed = store.Value.AsksForSignatures,
        }), Words);
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.ExecuteAsync(new CommandDefinition(DropMoved, new { stores = rows }, transaction, cancellationToken: token));
        try
        {
            await connection.ExecuteAsync(new CommandDefinition(Put, new { stores = rows }, transaction, cancellationToken: token));
        }
        catch (PostgresException error) when (error.SqlState == PostgresErrorCodes.ForeignKeyViolation)
        {
            throw new StartupException("Drift:Stores names a tenant that does not exist: list it in Tenants, or make it with kpictl tenants create before its store.");
        }
        await connection.ExecuteAsync(new CommandDefinition(Retire, new { names = stores.Keys.ToArray() }, transaction, cancellationToken: token));
        await transaction.CommitAsync(token);
    }

    // Due by the clock, or because something waits to be written that nobody has tried to write yet: whoever applies a job holds no store's row.
    private const string Claim = """
        UPDATE kpi_store SET fence = fence + 1, claimed_at = now(), claimed_until = now() + @length
         WHERE store IN (SELECT store FROM kpi_store s WHERE store = ANY (@stores) AND configured AND (claimed_until IS NULL OR claimed_until <= now())
                            AND (next_pass_at <= now() OR failing_since IS NULL AND EXISTS (SELECT FROM kpi_store_write w WHERE w.store = s.store AND w.store_state = 'pending' AND w.tries = 0))
                          ORDER BY store FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING store, tenant_id, environment, fence, claimed_at, version, reads_all, failures
        """;

    /// <summary>The stores that are due and that no node is at, for this node alone.</summary>
    public async Task<IReadOnlyList<ClaimedStore>> ClaimAsync(string[] stores, TimeSpan length, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<ClaimedStore>(new CommandDefinition(Claim, new { stores, length }, cancellationToken: token))).AsList();
    }

    private const string Known = """
        SELECT path, version FROM kpi_store_artifact WHERE store = @Store
        """;

    public async Task<IReadOnlyDictionary<string, string>> KnownAsync(ClaimedStore claimed, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<(string Path, string Version)>(new CommandDefinition(Known, new { claimed.Store }, cancellationToken: token))).ToDictionary(row => row.Path, row => row.Version, StringComparer.Ordinal);
    }

    private const string Hold = """
        UPDATE kpi_store SET claimed_until = now() + @length WHERE store = @Store AND fence = @Fence RETURNING store
        """;

    // Which job it was stays known when it can no longer be read.
    private const string PutArtifacts = """
        INSERT INTO kpi_store_artifact AS a (store, path, tenant_id, version, store_commit, job_id, content_hash, raw_sha256, format, content, fault, problem)
        SELECT @Store, x.path, @TenantId, x.version, x.commit, x.job_id, x.content_hash, x.raw_sha256, x.format, x.content, x.fault, x.problem
          FROM jsonb_to_recordset(@artifacts::jsonb) AS x(path text, version text, commit text, job_id text, content_hash text, raw_sha256 text, format text, content text, fault text, problem text)
        ON CONFLICT (store, path) DO UPDATE SET version = EXCLUDED.version, store_commit = EXCLUDED.store_commit, job_id = COALESCE(EXCLUDED.job_id, a.job_id), content_hash = EXCLUDED.content_hash,
           raw_sha256 = EXCLUDED.raw_sha256, format = EXCLUDED.format, content = EXCLUDED.content, fault = EXCLUDED.fault, problem = EXCLUDED.problem,
           changed_at = CASE WHEN (a.content_hash, a.fault, a.problem, a.job_id) IS DISTINCT FROM (EXCLUDED.content_hash, EXCLUDED.fault, EXCLUDED.problem, COALESCE(EXCLUDED.job_id, a.job_id)) THEN now() ELSE a.changed_at END
        """;

    /// <returns>False where another node is at the store by now.</returns>
    public async Task<bool> PutAsync(ClaimedStore claimed, IReadOnlyList<ReadArtifact> artifacts, TimeSpan length, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        if (await connection.ExecuteScalarAsync<string?>(new CommandDefinition(Hold, new { claimed.Store, claimed.Fence, length }, transaction, cancellationToken: token)) is null)
            return false;
        await connection.ExecuteAsync(new CommandDefinition(PutArtifacts, new { claimed.Store, claimed.TenantId, artifacts = JsonSerializer.Serialize(artifacts, Words) }, transaction, cancellationToken: token));
        await transaction.CommitAsync(token);
        return true;
    }

    // Nothing came of a request that was made while the pass was under way: the next one is for it.
    private const string End = """
        UPDATE kpi_store SET version = @version, read_at = now(), artifacts = (SELECT count(*) FROM kpi_store_artifact WHERE store = @Store) - cardinality(@gone::text[]), contents_read = @contents,
               pass_started_at = claimed_at, pass_ended_at = now(), claimed_until = NULL, failing_since = NULL, failures = 0, failure = NULL,
               reads_all = reads_all AND COALESCE(asked_at > claimed_at, false), next_pass_at = CASE WHEN asked_at > claimed_at THEN now() ELSE now() + @pause END,
               rewritten_at = CASE WHEN @rewritten THEN now() ELSE rewritten_at END, rewritten_from = CASE WHEN @rewritten THEN version ELSE rewritten_from END,
               rewritten_to = CASE WHEN @rewritten THEN @version ELSE rewritten_to END
         WHERE store = @Store AND fence = @Fence RETURNING store
        """;

    private const string DropGone = """
        DELETE FROM kpi_store_artifact WHERE store = @Store AND path = ANY (@gone)
        """;

    // A binding follows the store that it was applied from, else the first of its tenant and environment that has its job.
    private const string Follow = """
        INSERT INTO kpi_source_ref (binding_id, tenant_id, store)
        SELECT b.binding_id, b.tenant_id, @Store FROM kpi_job_binding b
         WHERE b.tenant_id = @TenantId AND b.environment = @Environment
           AND (b.source = @Store OR EXISTS (SELECT FROM kpi_store_artifact a WHERE a.store = @Store AND a.job_id = b.job_id))
           AND NOT EXISTS (SELECT FROM kpi_source_ref r JOIN kpi_store s USING (store)
                            WHERE r.binding_id = b.binding_id AND s.configured AND (r.store = @Store OR b.source IS DISTINCT FROM @Store))
        ON CONFLICT (binding_id) DO UPDATE SET store = EXCLUDED.store, path = NULL, store_commit = NULL, raw_sha256 = NULL, content_hash = NULL, agreed_at = NULL
        """;

    // What was to be written to a store that is configured no more would be written when it comes back, over what is here now.
    private const string TakeBackElsewhere = """
        UPDATE kpi_store_write w SET store_state = 'refused', problem = 'the store is configured no more, and the job follows ' || @Store, ended_at = now()
          FROM kpi_source_ref r, kpi_store s WHERE r.store = @Store AND w.binding_id = r.binding_id AND w.store_state = 'pending' AND s.store = w.store AND NOT s.configured
        """;

    private const string Agree = """
        WITH once AS MATERIALIZED (SELECT job_id, min(path) AS path FROM kpi_store_artifact WHERE store = @Store GROUP BY job_id HAVING count(*) = 1)
        UPDATE kpi_source_ref r SET path = a.path, store_commit = a.store_commit, raw_sha256 = a.raw_sha256, content_hash = a.content_hash, agreed_at = now()
          FROM once o, kpi_store_artifact a, kpi_job_binding b JOIN kpi_job_def d USING (def_id)
         WHERE r.store = @Store AND a.store = @Store AND a.path = o.path AND b.binding_id = r.binding_id AND b.job_id = o.job_id AND a.content_hash = d.content_hash AND a.fault IS NULL
           AND (r.path, r.store_commit, r.raw_sha256, r.content_hash) IS DISTINCT FROM (a.path, a.store_commit, a.raw_sha256, a.content_hash)
        """;

    // After a first pass over ten thousand artifacts the planner knows of none, and would compare each with each: no pass over them ended
    // (./dev bench governance, with ten thousand bindings), where with this the first one takes seven seconds.
    private const string PlanForMany = "SET LOCAL enable_nestloop = off";

    /// <summary>The pass is complete: what is gone is forgotten, and bindings that agree with what was read say so.</summary>
    /// <returns>False where another node is at the store by now.</returns>
    public async Task<bool> EndAsync(ClaimedStore claimed, PassResult result, TimeSpan pause, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        var parameters = new { claimed.Store, claimed.Fence, claimed.TenantId, claimed.Environment, version = result.Version, gone = result.Gone.ToArray(), contents = result.ContentsRead, rewritten = result.IsRewritten, pause };
        if (await connection.ExecuteScalarAsync<string?>(new CommandDefinition(End, parameters, transaction, cancellationToken: token)) is null)
            return false;
        foreach (var statement in new[] { PlanForMany, DropGone, Follow, TakeBackElsewhere, Agree })
            await connection.ExecuteAsync(new CommandDefinition(statement, parameters, transaction, cancellationToken: token));
        if (result.IsRewritten)
            await AuditAsync(connection, claimed, result, token);
        await transaction.CommitAsync(token);
        return true;
    }

    private const string Fail = """
        UPDATE kpi_store SET pass_started_at = claimed_at, pass_ended_at = now(), claimed_until = NULL, failing_since = COALESCE(failing_since, now()), failures = failures + 1, failure = @failure,
               next_pass_at = CASE WHEN asked_at > claimed_at THEN now() ELSE now() + @pause END
         WHERE store = @Store AND fence = @Fence
        """;

    /// <summary>The store could not be read; what was read of it before stays.</summary>
    public async Task FailAsync(ClaimedStore claimed, string failure, TimeSpan pause, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await connection.ExecuteAsync(new CommandDefinition(Fail, new { claimed.Store, claimed.Fence, failure, pause }, cancellationToken: token));
    }

    private static Task AuditAsync(NpgsqlConnection connection, ClaimedStore claimed, PassResult result, CancellationToken token) => AuditStore.AppendAsync(connection, new AuditEntry
    {
        TenantId = claimed.TenantId, Environment = claimed.Environment, Actor = $"store {claimed.Store}", Verb = "Rewrite", ObjectKind = "store", ObjectId = claimed.Store,
        Reason = "a commit that was read is no longer part of the branch", Before = AuditEntry.Json(new { Commit = claimed.Version }), After = AuditEntry.Json(new { Commit = result.Version }),
    }, token);
}
