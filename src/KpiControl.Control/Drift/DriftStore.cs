using KpiControl.Control.Requests;

namespace KpiControl.Control.Drift;

/// <summary>Compares what is bound with what was read of the stores.</summary>
internal static class DriftStore
{
    private const string Stores = """
        SELECT store, tenant_id, environment, kind, location, branch, paths, configured, writes_applied, new_jobs, signed, version, read_at, artifacts, contents_read, failing_since, failures, failure, next_pass_at, asked_at,
               pass_started_at, pass_ended_at, rewritten_at, rewritten_from, rewritten_to
          FROM kpi_store s
        """;

    private const string Find = Stores + " WHERE store = @store";

    public static Task<StoreRow?> FindAsync(RequestTransaction tx, string store) => tx.FindAsync<StoreRow>(Find, new { store });

    private const string Page = Stores + """
         WHERE EXISTS (SELECT FROM unnest(@tenants::text[], @environments::text[]) AS g(tenant, environment) WHERE g.tenant IN ('*', s.tenant_id) AND g.environment IN ('*', s.environment))
           AND (@tenant::text = '' OR s.tenant_id = @tenant) AND (@environment::text = '' OR s.environment = @environment) AND (@store::text = '' OR s.store = @store) AND s.store > @after
         ORDER BY s.store LIMIT @limit
        """;

    public static Task<IReadOnlyList<StoreRow>> PageAsync(RequestTransaction tx, object query) => tx.QueryAsync<StoreRow>(Page, query);

    // Not now(): a pass that was claimed between the begin of this transaction and this line knows nothing of what is asked here.
    private const string Ask = """
        UPDATE kpi_store SET asked_at = clock_timestamp(), next_pass_at = now(), reads_all = reads_all OR @readAll WHERE store = @store
        """;

    /// <summary>The next look of any node that has the store makes a pass.</summary>
    public static Task AskAsync(RequestTransaction tx, string store, bool readAll) => tx.ExecuteAsync(Ask, new { store, readAll });

    private const string Kept = """
        kept AS (
          SELECT store, job_id, min(path) AS path, CASE WHEN count(*) > 1 THEN string_agg(path, ' and ' ORDER BY path) END AS copies FROM kpi_store_artifact WHERE job_id IS NOT NULL
        """;

    // The definition's own hash is taken anew: that its row was altered shows.
    private const string Bound = """
        followed AS (
        SELECT s.store, s.tenant_id, s.environment, s.configured, s.read_at, s.failing_since, s.failure, b.job_id, b.binding_id, b.revision, b.revision = 1 AND NOT b.active_flag AS is_unreleased,
               b.pruned_at IS NOT NULL AS is_taken_away,
               COALESCE(rt.paused_until > now(), false) AS is_paused, b.schedule_overridden,
               (SELECT string_agg(o.kind, ' and ' ORDER BY o.kind) FROM kpi_override o WHERE o.binding_id = b.binding_id AND o.ended_at IS NULL AND o.expires_at > now()) AS overrides, d.content_hash AS bound_hash, v.effective_from AS bound_at,
               'sha256:' || encode(sha256(convert_to(d.canonical_json, 'UTF8')), 'hex') AS definition_hash,
               a.path, a.version AS store_version, a.content_hash AS store_hash, a.raw_sha256 AS store_raw_sha256, a.store_commit, a.fault, a.problem, a.changed_at,
               k.copies,
               r.path AS ref_path, r.store_commit AS ref_commit, r.raw_sha256 AS ref_raw_sha256, r.content_hash AS ref_hash, r.agreed_at,
               w.requested_at AS write_since, w.problem AS write_problem
          FROM kpi_source_ref r
          JOIN kpi_store s USING (store)
          JOIN kpi_job_binding b USING (binding_id)
          JOIN kpi_job_def d USING (def_id)
          JOIN kpi_job_runtime rt USING (binding_id)
          JOIN kpi_binding_revision v ON v.binding_id = b.binding_id AND v.revision = b.revision
          LEFT JOIN kept k ON k.store = r.store AND k.job_id = b.job_id
          LEFT JOIN kpi_store_artifact a ON a.store = k.store AND a.path = k.path
          LEFT JOIN kpi_store_write w ON w.binding_id = b.binding_id AND w.store_state = 'pending'
        """;

    private const string Unbound = """
        UNION ALL
        SELECT s.store, s.tenant_id, s.environment, s.configured, s.read_at, s.failing_since, s.failure, a.job_id, NULL, 0, false, false, false, false, NULL, NULL, NULL, NULL,
               a.path, a.version, a.content_hash, a.raw_sha256, a.store_commit, a.fault, a.problem, a.changed_at, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
          FROM kpi_store_artifact a
          JOIN kpi_store s USING (store)
         WHERE NOT EXISTS (SELECT FROM kpi_source_ref r JOIN kpi_job_binding b USING (binding_id) WHERE r.store = a.store AND b.job_id = a.job_id)
        """;

    private const string InStates = """
        compared AS (
          SELECT f.*, CASE
                   WHEN f.write_since IS NOT NULL AND f.configured THEN 'pending_write'
                   WHEN f.failing_since IS NOT NULL OR NOT f.configured OR f.fault = 'unreadable' THEN 'unreadable'
                   WHEN f.fault = 'invalid' OR f.copies IS NOT NULL THEN 'invalid'
                   WHEN f.binding_id IS NULL OR f.is_taken_away AND f.path IS NOT NULL THEN 'orphaned'
                   WHEN f.path IS NULL AND NOT f.is_taken_away THEN 'missing'
                   WHEN f.store_hash <> f.bound_hash OR f.definition_hash <> f.bound_hash THEN 'drifted'
                   WHEN f.schedule_overridden OR f.is_paused OR f.overrides IS NOT NULL THEN 'overridden'
                   ELSE 'in_sync' END AS state
            FROM followed f
        )
        SELECT * FROM compared f
        """;

    // A job that was taken away with its artifact agrees with it.
    internal const string Compared = $"""
        WITH {Kept} GROUP BY store, job_id
        ), {Bound} WHERE b.pruned_at IS NULL OR a.path IS NOT NULL {Unbound}
        ), {InStates}
        """;

    // A text of its own: where a parameter says whether all are meant, no plan serves twice, and planning takes a hundred times as long as the rest.
    internal const string ComparedOf = $"""
        WITH {Kept} AND job_id IN (SELECT job_id FROM kpi_job_binding WHERE binding_id = ANY (@bindings)) GROUP BY store, job_id
        ), {Bound} WHERE r.binding_id = ANY (@bindings)
        ), {InStates}
        """;

    private const string Lines = Compared + """
         WHERE EXISTS (SELECT FROM unnest(@tenants::text[], @environments::text[]) AS g(tenant, environment) WHERE g.tenant IN ('*', f.tenant_id) AND g.environment IN ('*', f.environment))
           AND (@tenant::text = '' OR f.tenant_id = @tenant) AND (@environment::text = '' OR f.environment = @environment) AND (@store::text = '' OR f.store = @store)
           AND CASE @state::text WHEN 'all' THEN true WHEN '' THEN f.state <> 'in_sync' ELSE f.state = @state END
           AND (@after::text[] IS NULL OR (f.store, COALESCE(f.job_id, ''), CASE WHEN f.binding_id IS NULL THEN f.path ELSE '' END) > (@after[1], @after[2], @after[3]))
         ORDER BY f.store, COALESCE(f.job_id, ''), CASE WHEN f.binding_id IS NULL THEN f.path ELSE '' END LIMIT @limit
        """;

    // Of artifacts that were just read the planner knows nothing, and would compare each with each.
    private const string PlanForMany = "SET LOCAL enable_nestloop = off";

    public static async Task<IReadOnlyList<DriftRow>> LinesAsync(RequestTransaction tx, object query)
    {
        await tx.ExecuteAsync(PlanForMany);
        return await tx.QueryAsync<DriftRow>(Lines, query);
    }

    /// <summary>Null where the job follows no store.</summary>
    public static async Task<DriftRow?> OfAsync(RequestTransaction tx, long bindingId) => (await OfAsync(tx, [bindingId])).SingleOrDefault();

    /// <summary>Those of the jobs that follow a store.</summary>
    public static Task<IReadOnlyList<DriftRow>> OfAsync(RequestTransaction tx, long[] bindings) => tx.QueryAsync<DriftRow>(ComparedOf, new { bindings });

    private const string Ladder = """
        SELECT d.canonical_json AS bound_json, a.content AS store_content, a.format AS store_format, h.run_id, h.recorded_at AS run_at, h.revision AS run_revision, ran.content_hash AS run_hash
          FROM kpi_job_binding b
          JOIN kpi_job_def d USING (def_id)
          LEFT JOIN kpi_store_artifact a ON a.store = @store AND a.path = @path
          LEFT JOIN LATERAL (SELECT h.run_id, h.recorded_at, h.revision FROM kpi_job_history h WHERE h.binding_id = b.binding_id AND h.status IN ('success', 'partial', 'failed', 'suppressed') AND h.attempt_id IS NOT NULL
                              ORDER BY h.recorded_at DESC LIMIT 1) h ON true
          LEFT JOIN kpi_binding_revision v ON v.binding_id = b.binding_id AND v.revision = h.revision
          LEFT JOIN kpi_job_def ran ON ran.def_id = v.def_id
         WHERE b.binding_id = @bindingId
        """;

    public static async Task<LadderRow> LadderAsync(RequestTransaction tx, long bindingId, string store, string? path) =>
        await tx.FindAsync<LadderRow>(Ladder, new { bindingId, store, path }) ?? throw new InvalidOperationException("A job that was found is gone.");
}
