using KpiControl.Control.Requests;
using KpiControl.Control.Runs;

namespace KpiControl.Control.Provenance;

/// <summary>Reads what took what: evidence and declarations, of one tenant and environment.</summary>
internal static class LineageStore
{
    /// <summary>How many of a job's latest good runs are looked through for a source.</summary>
    public const int RunsLookedAt = 200;

    // The definition that ran says which KPI it computed and what it declared: the binding may have moved on since.
    private const string RunsSql =
        """
        SELECT DISTINCT ON (h.run_id) h.run_id, h.recorded_at, h.business_date, h.status, coalesce(h.data_points, 0) AS data_points, b.binding_id, b.job_id, b.region,
               coalesce(d.canonical_json::jsonb->>'kpi_id', b.kpi_id) AS kpi_id, coalesce(d.canonical_json::jsonb->>'contract_version', b.contract_version) AS contract_version,
               d.content_hash, r.contract_digest, (d.canonical_json::jsonb->'dependencies')::text AS declared,
               e.document->>'agent' AS agent, e.document->>'values_digest' AS values_digest, e.document->'lineage'->>'sql_hash' AS sql_hash,
               (e.document->'inputs')::text AS inputs, (e.document->'lineage')::text AS lineage,
        """ + RunStore.Views + """

          FROM kpi_job_history h
          JOIN kpi_job_binding b ON b.binding_id = h.binding_id
          LEFT JOIN kpi_binding_revision r ON r.binding_id = h.binding_id AND r.revision = h.revision
          LEFT JOIN kpi_job_def d ON d.def_id = r.def_id
          LEFT JOIN kpi_evidence e ON e.run_id = h.run_id AND e.binding_id = h.binding_id AND e.kind = 'run'
        """ + RunStore.OtherView + """

         WHERE h.run_id = ANY (@runs::bigint[]) AND h.tenant_id = @tenant AND b.environment = @environment
         ORDER BY h.run_id, h.recorded_at
        """;

    public static Task<IReadOnlyList<LineageRunRow>> RunsAsync(RequestTransaction tx, LineageScope scope, IReadOnlyCollection<long> runs) =>
        tx.QueryAsync<LineageRunRow>(RunsSql, new { runs = runs.ToArray(), scope.Tenant, scope.Environment });

    private const string Jobs =
        """
        SELECT b.binding_id, b.job_id, b.region, b.kpi_id, b.contract_version, b.active_flag, (d.canonical_json::jsonb->'dependencies')::text AS declared, g.run_id AS last_good
          FROM kpi_job_binding b
          JOIN kpi_job_def d ON d.def_id = b.def_id
          LEFT JOIN LATERAL (
            SELECT h.run_id FROM kpi_job_history h WHERE h.binding_id = b.binding_id AND h.final AND h.status IN ('success', 'partial') AND h.trigger_kind <> 'restatement'
             ORDER BY h.recorded_at DESC LIMIT 1) g ON true
        """;

    private const string JobsSql = Jobs + " WHERE b.binding_id = ANY (@bindings::bigint[]) AND b.tenant_id = @tenant AND b.environment = @environment ORDER BY b.job_id";

    public static Task<IReadOnlyList<LineageJobRow>> JobsAsync(RequestTransaction tx, LineageScope scope, IReadOnlyCollection<long> bindings) =>
        tx.QueryAsync<LineageJobRow>(JobsSql, new { bindings = bindings.ToArray(), scope.Tenant, scope.Environment });

    private const string JobsOfKpiSql = Jobs +
        """
         WHERE b.tenant_id = @tenant AND b.environment = @environment AND d.computes_kpi AND b.kpi_id = @kpi AND (@version::text = '' OR b.contract_version = @version)
         ORDER BY b.job_id LIMIT @limit
        """;

    public static Task<IReadOnlyList<LineageJobRow>> JobsOfKpiAsync(RequestTransaction tx, LineageScope scope, string kpi, string version, int limit) =>
        tx.QueryAsync<LineageJobRow>(JobsOfKpiSql, new { scope.Tenant, scope.Environment, kpi, version, limit });

    // Of each job that declares a source or ever took it, the latest good run that did. Several jobs may compute a KPI: where
    // the evidence says whose run was taken, it was that job's and not the others'.
    private const string DependentsSql =
        """
        SELECT x.ord::int - 1 AS target, b.binding_id, b.job_id, b.region, b.kpi_id, b.contract_version, b.active_flag, c.declared, c.taken,
               e.run_id, e.recorded_at, (SELECT h.business_date FROM kpi_job_history h WHERE h.run_id = e.run_id LIMIT 1) AS business_date, e.inputs, e.lineage
          FROM unnest(@types::text[], @names::text[], @reads::text[], @regions::text[], @jobs::text[]) WITH ORDINALITY AS x(type, name, read, region, job, ord)
          JOIN LATERAL (
            SELECT k.binding_id, bool_or(k.declared) AS declared, bool_or(NOT k.declared) AS taken
              FROM (SELECT binding_id, true AS declared FROM kpi_job_dependency WHERE tenant_id = @tenant AND dep_type = x.type AND dep_value = x.name
                    UNION ALL
                    SELECT binding_id, false FROM kpi_lineage_source WHERE tenant_id = @tenant AND source_type = x.type AND source_name = x.name) k
             GROUP BY k.binding_id) c ON true
          JOIN kpi_job_binding b ON b.binding_id = c.binding_id AND b.tenant_id = @tenant AND b.environment = @environment AND (x.region = '' OR b.region = x.region)
          LEFT JOIN LATERAL (
            SELECT l.run_id, l.recorded_at, (l.document->'inputs')::text AS inputs, (l.document->'lineage')::text AS lineage
              FROM (SELECT run_id, recorded_at, document FROM kpi_evidence
                     WHERE binding_id = b.binding_id AND kind = 'run' AND document->>'status' IN ('success', 'partial') ORDER BY recorded_at DESC LIMIT @looked) l
             WHERE c.taken AND (
                     jsonb_path_exists(l.document, '$.inputs[*] ? (@.type == $type && @.name == $name && ($job == "" || @.job_id == $job) && (exists(@.refresh_id) || exists(@.signal_id) || exists(@.run_id)))',
                       jsonb_build_object('type', x.type, 'name', x.name, 'job', x.job))
                  OR l.document->'lineage'->'sources' @> x.read::jsonb
                     AND NOT (x.job <> '' AND jsonb_path_exists(l.document, '$.inputs[*] ? (@.type == $type && @.name == $name && exists(@.run_id))', jsonb_build_object('type', x.type, 'name', x.name))))
             ORDER BY l.recorded_at DESC LIMIT 1) e ON true
         ORDER BY x.ord, b.job_id, b.binding_id LIMIT @limit
        """;

    public static Task<IReadOnlyList<DependentRow>> DependentsAsync(RequestTransaction tx, LineageScope scope, IReadOnlyList<LineageTarget> targets, int limit) =>
        tx.QueryAsync<DependentRow>(DependentsSql, new
        {
            types = targets.Select(t => t.Type).ToArray(), names = targets.Select(t => t.Name).ToArray(), reads = targets.Select(t => t.AsRead).ToArray(),
            regions = targets.Select(t => t.Region).ToArray(), jobs = targets.Select(t => t.Job).ToArray(), scope.Tenant, scope.Environment, looked = RunsLookedAt, limit,
        });

    // Whoever took a run's value was recorded after it.
    private const string TakersSql =
        """
        SELECT DISTINCT x.run_id AS taken, e.run_id AS taker
          FROM unnest(@runs::bigint[], @names::text[], @since::timestamptz[]) AS x(run_id, name, since)
          JOIN kpi_lineage_source c ON c.tenant_id = @tenant AND c.source_type = 'kpi' AND c.source_name = x.name
          JOIN kpi_job_binding b ON b.binding_id = c.binding_id AND b.environment = @environment
          JOIN kpi_evidence e ON e.binding_id = c.binding_id AND e.recorded_at >= x.since AND e.kind = 'run' AND e.document->>'status' IN ('success', 'partial')
           AND e.document->'inputs' @> jsonb_build_array(jsonb_build_object('type', 'kpi', 'name', x.name, 'run_id', x.run_id::text))
         ORDER BY 1, 2 LIMIT @limit
        """;

    public static Task<IReadOnlyList<TakerRow>> TakersAsync(RequestTransaction tx, LineageScope scope, IReadOnlyList<LineageRunRow> taken, int limit) =>
        tx.QueryAsync<TakerRow>(TakersSql, new
        {
            runs = taken.Select(t => t.RunId).ToArray(), names = taken.Select(t => t.Kpi).ToArray(), since = taken.Select(t => t.RecordedAt.UtcDateTime).ToArray(),
            scope.Tenant, scope.Environment, limit,
        });

    private const string IsPublishedSql =
        """
        SELECT EXISTS (SELECT FROM kpi_refresh WHERE @type = 'gdp' AND tenant_id = @tenant AND environment = @environment AND dataset = @name)
            OR EXISTS (SELECT FROM kpi_signal WHERE @type = 'signal' AND tenant_id = @tenant AND environment = @environment AND name = @name)
            OR EXISTS (SELECT FROM kpi_contract WHERE @type = 'kpi' AND tenant_id = @tenant AND kpi_id || '@' || version = @name)
        """;

    /// <summary>Whether anybody published the table or signal, or put the contract.</summary>
    public static Task<bool> IsPublishedAsync(RequestTransaction tx, LineageScope scope, string type, string name) =>
        tx.FindAsync<bool>(IsPublishedSql, new { scope.Tenant, scope.Environment, type, name });
}
