using System.Globalization;
using KpiControl.Control.Audit;
using KpiControl.Control.Authoring;
using KpiControl.Control.Requests;

namespace KpiControl.Control.Drift;

/// <summary>A write to a store as stored.</summary>
internal sealed record WriteRow
{
    public long WriteId { get; init; }
    public long BindingId { get; init; }
    public required string Store { get; init; }
    public required string Path { get; init; }
    public required string ContentHash { get; init; }
    public required string StoreState { get; init; }
    /// <summary>applied: it was put in force; roll_back: somebody asked for what was bound.</summary>
    public required string Cause { get; init; }
    public required string Reason { get; init; }
    public required string RequestedBy { get; init; }
    public DateTimeOffset RequestedAt { get; init; }
    public int Tries { get; init; }
    public string? Problem { get; init; }
    public string? StoredCommit { get; init; }
    public DateTimeOffset? EndedAt { get; init; }
}

/// <summary>Notes that what is bound is to be written to a store.</summary>
internal static class WriteBackStore
{
    private const string Last = """
        SELECT write_id, binding_id, store, path, content_hash, store_state, cause, reason, requested_by, requested_at, tries, problem, stored_commit, ended_at
          FROM kpi_store_write WHERE binding_id = @bindingId ORDER BY write_id DESC LIMIT 1
        """;

    public static Task<WriteRow?> LastAsync(RequestTransaction tx, long bindingId) => tx.FindAsync<WriteRow>(Last, new { bindingId });

    // The binding is held by whoever asks: nobody else asks for it meanwhile.
    private const string Supersede = """
        UPDATE kpi_store_write SET store_state = 'refused', problem = 'another one was asked for before it was written', ended_at = now() WHERE binding_id = @BindingId AND store_state = 'pending'
        """;

    private const string Insert = """
        INSERT INTO kpi_store_write (binding_id, tenant_id, store, path, def_id, content_hash, seen_version, reason, requested_by)
        VALUES (@BindingId, @TenantId, @Store, @Path, @DefId, @ContentHash, @SeenVersion, @Reason, @By)
        """;

    public static async Task<WriteRow> AskAsync(RequestTransaction tx, NewWrite write)
    {
        await tx.ExecuteAsync(Supersede, write);
        await tx.ExecuteAsync(Insert, write);
        return await LastAsync(tx, write.BindingId) ?? throw new InvalidOperationException("A write that was stored is gone.");
    }

    private const string TakeBack = """
        UPDATE kpi_store_write SET store_state = 'refused', problem = 'the job was taken away before it was written', ended_at = now() WHERE binding_id = ANY (@ids) AND store_state = 'pending'
        RETURNING write_id, binding_id, store, path, content_hash, store_state, cause, reason, requested_by, requested_at, tries, problem, stored_commit, ended_at
        """;

    /// <summary>What waits to be written of jobs that are taken away is not written any more.</summary>
    /// <param name="jobs">Held for the transaction.</param>
    public static async Task TakeBackAsync(RequestTransaction tx, IReadOnlyList<Binding> jobs, string reason)
    {
        var taken = await tx.QueryAsync<WriteRow>(TakeBack, new { ids = jobs.Select(job => job.BindingId).ToArray() });
        var of = jobs.ToDictionary(job => job.BindingId);
        await AuditStore.AppendAsync(tx, [.. taken.Select(write => new AuditEntry
        {
            TenantId = of[write.BindingId].TenantId, Environment = of[write.BindingId].Environment, Actor = tx.Caller.Principal, Verb = write.Cause == "applied" ? "Update" : "Rollback", ObjectKind = "store_write",
            ObjectId = write.WriteId.ToString(CultureInfo.InvariantCulture), Reason = reason, After = AuditEntry.Json(new { write.StoreState, write.BindingId, write.Path, write.ContentHash, write.Problem, write.RequestedBy }),
        })]);
    }

    // The store that has a job: that which it was applied from, that which it follows, that which holds its artifact, or one that takes new jobs.
    // It is written over what was bound before, and over nothing else: where somebody has written there meanwhile, that is a drift, and people decide.
    private const string Applied = """
        WITH entered AS (
          SELECT b.binding_id, b.tenant_id, b.job_id, b.def_id, d.content_hash, x.was_hash, x.reason, c.store, c.writes_applied, c.new_jobs, r.path AS ref_path
            FROM jsonb_to_recordset(@rows::jsonb) AS x(binding_id bigint, was_hash text, reason text)
            JOIN kpi_job_binding b USING (binding_id)
            JOIN kpi_job_def d ON d.def_id = b.def_id
            CROSS JOIN LATERAL (
              SELECT s.store, s.writes_applied, s.new_jobs FROM kpi_store s LEFT JOIN kpi_source_ref f ON f.store = s.store AND f.binding_id = b.binding_id
                LEFT JOIN LATERAL (SELECT true AS has FROM kpi_store_artifact a WHERE a.store = s.store AND a.job_id = b.job_id LIMIT 1) a ON true
               WHERE s.tenant_id = b.tenant_id AND s.environment = b.environment AND s.configured
                 AND (b.source = s.store OR f.store IS NOT NULL OR a.has OR s.new_jobs IS NOT NULL)
               ORDER BY (b.source = s.store) IS TRUE DESC, f.store IS NOT NULL DESC, a.has IS TRUE DESC, s.store LIMIT 1) c
            LEFT JOIN kpi_source_ref r ON r.binding_id = b.binding_id AND r.store = c.store
        ), followed AS (
          INSERT INTO kpi_source_ref (binding_id, tenant_id, store) SELECT binding_id, tenant_id, store FROM entered ON CONFLICT (binding_id) DO NOTHING
        ), superseded AS (
          UPDATE kpi_store_write w SET store_state = 'refused', problem = 'another definition was bound before it was written', ended_at = now()
            FROM entered e WHERE w.binding_id = e.binding_id AND w.store_state = 'pending' AND (w.def_id <> e.def_id OR w.store <> e.store)
          RETURNING w.binding_id, w.store, w.path, w.seen_version, w.over_hashes || w.content_hash AS hashes
        ), placed AS (
          SELECT e.*, u.binding_id IS NOT NULL AS supersedes, COALESCE(u.path, a.path, e.ref_path, replace(e.new_jobs, '{job_id}', e.job_id)) AS path, a.content_hash AS held, a.path IS NOT NULL AS is_held,
                 CASE WHEN u.binding_id IS NOT NULL THEN u.seen_version ELSE a.version END AS seen_version, COALESCE(u.hashes, '{}') AS over_hashes
            FROM entered e
            LEFT JOIN superseded u ON u.binding_id = e.binding_id AND u.store = e.store
            LEFT JOIN LATERAL (SELECT min(a.path) AS path, min(a.version) AS version, min(a.content_hash) AS content_hash FROM kpi_store_artifact a
                                WHERE a.store = e.store AND a.job_id = e.job_id HAVING count(*) = 1 AND bool_and(a.fault IS NULL)) a ON true
           WHERE e.writes_applied
             AND NOT EXISTS (SELECT FROM kpi_store_artifact a WHERE a.store = e.store AND a.job_id = e.job_id AND a.fault IS NOT NULL)
             AND (SELECT count(*) FROM kpi_store_artifact a WHERE a.store = e.store AND a.job_id = e.job_id) < 2
             AND NOT EXISTS (SELECT FROM kpi_store_write w WHERE w.binding_id = e.binding_id AND w.store = e.store AND w.store_state = 'pending' AND w.def_id = e.def_id)
        ), judged AS (
          SELECT p.*, CASE WHEN p.supersedes THEN NULL
                   WHEN p.is_held AND p.held IS DISTINCT FROM p.was_hash THEN 'the store held something else than what was bound before; look at both, and reconcile'
                   WHEN NOT p.is_held AND p.ref_path IS NOT NULL THEN 'the store had the job no more; look, and reconcile' END AS problem
            FROM placed p WHERE p.path IS NOT NULL AND (p.supersedes OR p.held IS DISTINCT FROM p.content_hash)
        )
        INSERT INTO kpi_store_write (binding_id, tenant_id, store, path, def_id, content_hash, seen_version, over_hashes, cause, reason, requested_by, store_state, problem, ended_at)
        SELECT binding_id, tenant_id, store, path, def_id, content_hash, seen_version, over_hashes, 'applied', reason, @by,
               CASE WHEN problem IS NULL THEN 'pending' ELSE 'refused' END, problem, CASE WHEN problem IS NOT NULL THEN now() END
          FROM judged ORDER BY binding_id
        """;

    /// <summary>What was put in force is written to the store that has the job, where one does; the transaction itself touches no store.</summary>
    /// <param name="jobs">Their bindings are held for the transaction, or were made by it.</param>
    public static async Task ApplyAsync(RequestTransaction tx, IReadOnlyList<EnteredJob> jobs)
    {
        if (jobs.Count > 0)
            await tx.ExecuteAsync(Applied, new { rows = Rows.Json(jobs), by = tx.Caller.Principal });
    }
}

/// <param name="WasHash">What was bound before; null: nothing was.</param>
internal sealed record EnteredJob(long BindingId, string? WasHash, string Reason);

/// <param name="SeenVersion">What the store held at the path when it was read last; null: nothing.</param>
internal sealed record NewWrite(long BindingId, string TenantId, string Store, string Path, long DefId, string ContentHash, string? SeenVersion, string Reason, string By);
