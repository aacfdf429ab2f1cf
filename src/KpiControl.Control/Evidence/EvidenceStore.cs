using System.Text.Json.Nodes;
using KpiControl.Control.Audit;
using KpiControl.Control.Requests;

namespace KpiControl.Control.Evidence;

/// <summary>Reads what proves runs. Documents come as PostgreSQL writes them: every value a text or null, as docs/evidence-format.md has it.</summary>
internal static class EvidenceStore
{
    private const string Iso = "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'";

    private const string BindingsOfKpiSql =
        "SELECT binding_id FROM kpi_job_binding WHERE tenant_id = @tenant AND environment = @environment AND kpi_id = @kpi ORDER BY binding_id";

    public static Task<IReadOnlyList<long>> BindingsOfKpiAsync(RequestTransaction tx, string tenant, string environment, string kpi) =>
        tx.QueryAsync<long>(BindingsOfKpiSql, new { tenant, environment, kpi });

    private const string RevisionsSql =
        $"""
        SELECT r.binding_id, r.revision, r.effective_from, c.change_id, q.effective_from AS change_from, k.created_at AS calendar_from, d.content_hash, r.contract_digest, json_build_object(
            'binding_id', r.binding_id::text, 'revision', r.revision::text, 'environment', b.environment, 'region', b.region, 'job_id', b.job_id,
            'content_hash', d.content_hash, 'contract_digest', r.contract_digest, 'schedule_cron', r.schedule_cron, 'timezone', r.timezone, 'schedule_extra', r.schedule_extra::text,
            'active', r.active::text, 'zone_version', r.zone_version, 'effective_from', to_char(r.effective_from AT TIME ZONE 'UTC', {Iso}), 'changed_by', r.changed_by, 'reason', r.reason,
            'calendar', r.calendar, 'calendar_version', r.calendar_version::text, 'calendar_digest', k.digest, 'change_id', c.change_id::text, 'change_revision', c.applied_revision::text)::text AS body
          FROM unnest(@bindings, @revisions) AS x(binding_id, revision)
          JOIN kpi_binding_revision r USING (binding_id, revision) JOIN kpi_job_binding b USING (binding_id) JOIN kpi_job_def d ON d.def_id = r.def_id
          LEFT JOIN kpi_change c ON c.change_id = kpi_change_behind(r.binding_id, r.revision)
          LEFT JOIN kpi_binding_revision q ON q.binding_id = r.binding_id AND q.revision = c.applied_revision
          LEFT JOIN kpi_calendar k ON k.tenant_id = r.tenant_id AND k.name = r.calendar AND k.version = r.calendar_version
         ORDER BY r.binding_id, r.revision
        """;

    public static Task<IReadOnlyList<RevisionRow>> RevisionsAsync(RequestTransaction tx, IReadOnlyList<(long Binding, int Revision)> asked) =>
        tx.QueryAsync<RevisionRow>(RevisionsSql, new { bindings = asked.Select(a => a.Binding).ToArray(), revisions = asked.Select(a => a.Revision).ToArray() });

    private const string DefinitionsSql =
        $"""
        SELECT d.created_at AS at, json_build_object('content_hash', d.content_hash, 'canonical_json', d.canonical_json, 'format', d.format, 'content', d.content,
            'schema_version', d.schema_version, 'created_at', to_char(d.created_at AT TIME ZONE 'UTC', {Iso}), 'created_by', d.created_by)::text AS body
          FROM kpi_job_def d WHERE d.tenant_id = @tenant AND d.content_hash = ANY (@keys) ORDER BY d.content_hash
        """;

    public static Task<IReadOnlyList<DatedBody>> DefinitionsAsync(RequestTransaction tx, string tenant, string[] keys) =>
        tx.QueryAsync<DatedBody>(DefinitionsSql, new { tenant, keys });

    private const string ContractsSql =
        $"""
        SELECT DISTINCT ON (k.digest) k.created_at AS at, json_build_object('digest', k.digest, 'canonical_json', k.canonical_json, 'format', k.format, 'content', k.content,
            'kpi_id', k.kpi_id, 'version', k.version, 'status', k.status, 'created_at', to_char(k.created_at AT TIME ZONE 'UTC', {Iso}), 'created_by', k.created_by)::text AS body
          FROM kpi_contract k WHERE k.tenant_id = @tenant AND k.digest = ANY (@keys) ORDER BY k.digest, k.created_at
        """;

    public static Task<IReadOnlyList<DatedBody>> ContractsAsync(RequestTransaction tx, string tenant, string[] keys) =>
        tx.QueryAsync<DatedBody>(ContractsSql, new { tenant, keys });

    private const string TableContractsSql =
        """
        SELECT DISTINCT s.stage->>'contract_digest' FROM unnest(@runs, @bindings) AS a(run_id, binding_id) JOIN kpi_evidence e USING (run_id, binding_id)
         CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(e.document::jsonb->'stages') WHEN 'array' THEN e.document::jsonb->'stages' ELSE '[]' END) AS s(stage)
         WHERE e.tenant_id = @tenant AND e.kind = 'run' AND s.stage->>'contract_digest' IS NOT NULL
        """;

    /// <summary>The digests of the contracts by which the runs loaded and built tables.</summary>
    public static Task<IReadOnlyList<string>> TableContractsAsync(RequestTransaction tx, EvidenceScope scope) => tx.QueryAsync<string>(TableContractsSql, OfRuns(scope));

    private const string PoliciesSql =
        $"""
        SELECT p.effective_from AS at, json_build_object('environment', p.environment, 'version', p.version::text, 'document', p.document::text, 'effective_from', to_char(p.effective_from AT TIME ZONE 'UTC', {Iso}))::text AS body
          FROM (SELECT DISTINCT b.environment, e.document->>'policy_version' AS version
                  FROM unnest(@runs, @bindings) AS a(run_id, binding_id) JOIN kpi_evidence e USING (run_id, binding_id) JOIN kpi_job_binding b USING (binding_id)
                 WHERE e.tenant_id = @tenant AND e.kind = 'run') x
          JOIN kpi_tenant_policy p ON p.tenant_id = @tenant AND p.environment = x.environment AND p.version = x.version::int
         ORDER BY p.environment, p.version
        """;

    /// <summary>The policies that were in force when the runs were.</summary>
    public static Task<IReadOnlyList<DatedBody>> PoliciesAsync(RequestTransaction tx, EvidenceScope scope) => tx.QueryAsync<DatedBody>(PoliciesSql, OfRuns(scope));

    private const string EpisodesSql =
        $"""
        SELECT s.opened_at AS at, json_build_object('episode_id', s.episode_id::text, 'run_id', s.run_id::text, 'clock', s.clock, 'opened_at', to_char(s.opened_at AT TIME ZONE 'UTC', {Iso}), 'breached_at', to_char(s.breached_at AT TIME ZONE 'UTC', {Iso}),
            'resolved_at', to_char(s.resolved_at AT TIME ZONE 'UTC', {Iso}), 'resolution', s.resolution, 'acknowledged_by', s.acknowledged_by, 'acknowledge_reason', s.acknowledge_reason)::text AS body
          FROM unnest(@runs, @bindings) AS a(run_id, binding_id) JOIN kpi_sla_episode s USING (run_id, binding_id) WHERE s.tenant_id = @tenant ORDER BY s.episode_id
        """;

    public static Task<IReadOnlyList<DatedBody>> EpisodesAsync(RequestTransaction tx, EvidenceScope scope) => tx.QueryAsync<DatedBody>(EpisodesSql, OfRuns(scope));

    private const string RestatementActsSql =
        """
        SELECT restatement_id, accepted_at AS at FROM kpi_restatement WHERE restatement_id = ANY (@ids)
        UNION SELECT restatement_id, decided_at FROM kpi_restatement_decision WHERE restatement_id = ANY (@ids)
        UNION SELECT restatement_id, created_at FROM kpi_backfill WHERE restatement_id = ANY (@ids)
        """;

    /// <summary>When each was accepted, decided on and started.</summary>
    public static Task<IReadOnlyList<RestatementAct>> RestatementActsAsync(RequestTransaction tx, long[] ids) => tx.QueryAsync<RestatementAct>(RestatementActsSql, new { ids });

    // A report that changed nothing is kept under the fence that its agent gave, which may be the number of another job's run.
    private const string EvidenceRowsSql =
        """
        SELECT 'e' AS kind, e.evidence_id AS id, e.recorded_at AS at FROM unnest(@runs, @bindings) AS a(run_id, binding_id) JOIN kpi_evidence e USING (run_id, binding_id)
         WHERE e.tenant_id = @tenant ORDER BY e.recorded_at, e.evidence_id
        """;

    // What is recorded with an act has its transaction's instant: a revision, a decision, a policy lead to their audit rows by it.
    private const string AuditRowsSql =
        """
        SELECT 'a' AS kind, audit_id AS id, recorded_at AS at FROM kpi_audit
         WHERE tenant_id = @tenant AND recorded_at = ANY (@times)
           AND (object_kind = 'binding' AND object_id = ANY (@bindings) OR object_kind = 'change' AND object_id = ANY (@changes) OR object_kind = 'restatement' AND object_id = ANY (@restatements) OR object_kind IN ('contract', 'policy', 'calendar'))
         ORDER BY recorded_at, audit_id
        """;

    /// <summary>Where the rows stand that tell of these runs and acts.</summary>
    public static async Task<IReadOnlyList<RowPlace>> PlacesAsync(RequestTransaction tx, EvidenceScope scope, DateTimeOffset[] times, string[] bindings, string[] changes, string[] restatements) =>
    [
        .. (await tx.QueryAsync<(string Kind, long Id, DateTime At)>(AuditRowsSql, new { tenant = scope.Tenant, times, bindings, changes, restatements }))
            .Concat(await tx.QueryAsync<(string Kind, long Id, DateTime At)>(EvidenceRowsSql, OfRuns(scope))).Select(row => new RowPlace(row.Kind[0], row.Id, row.At)),
    ];

    private static object OfRuns(EvidenceScope scope) =>
        new { tenant = scope.Tenant, runs = scope.Runs.Select(r => r.RunId).ToArray(), bindings = scope.Runs.Select(r => r.BindingId).ToArray() };

    // A row is linked after it was recorded, nearly always within seconds: the first links from then on hold it. The minute is
    // for a database whose clock went back at a failover. A checkpoint at or after the link covers it.
    private const string LinksOfSql =
        """
        SELECT x.ord, l.seq, (SELECT min(c.seq) FROM kpi_chain_checkpoint c WHERE c.tenant_id = @tenant AND c.seq >= l.seq) AS checkpoint
          FROM unnest(@kinds, @ids, @times) WITH ORDINALITY AS x(kind, id, at, ord)
          LEFT JOIN LATERAL (
            SELECT l.seq FROM kpi_chain_link l
             WHERE l.tenant_id = @tenant AND l.linked_at >= x.at - interval '1 minute' AND x.id = ANY (l.row_ids)
               AND EXISTS (SELECT FROM unnest(l.row_kinds::text[], l.row_ids, l.row_times) AS r(kind, id, at) WHERE (r.kind, r.id, r.at) = (x.kind, x.id, x.at))
             ORDER BY l.linked_at LIMIT 1) l ON true
         ORDER BY x.ord
        """;

    /// <summary>The link of each place and the checkpoint that covers it, in their order; null where there is none yet.</summary>
    public static Task<IReadOnlyList<(long Ord, long? Seq, long? Checkpoint)>> LinksOfAsync(RequestTransaction tx, string tenant, IReadOnlyList<RowPlace> places) =>
        tx.QueryAsync<(long, long?, long?)>(LinksOfSql, new { tenant, kinds = places.Select(p => $"{p.Kind}").ToArray(), ids = places.Select(p => p.Id).ToArray(), times = places.Select(p => p.At).ToArray() });
}

/// <summary>A document's members, as JSON, and the instant of the act that made it.</summary>
internal sealed record DatedBody
{
    public DateTimeOffset At { get; init; }
    public required string Body { get; init; }

    public JsonObject Members => JsonNode.Parse(Body)!.AsObject();
}

internal sealed record RestatementAct
{
    public long RestatementId { get; init; }
    public DateTimeOffset At { get; init; }
}

internal sealed record RevisionRow
{
    public long BindingId { get; init; }
    public int Revision { get; init; }
    public DateTimeOffset EffectiveFrom { get; init; }
    public long? ChangeId { get; init; }
    /// <summary>Of the revision that the change became.</summary>
    public DateTimeOffset? ChangeFrom { get; init; }
    /// <summary>When that version of its calendar was stored.</summary>
    public DateTimeOffset? CalendarFrom { get; init; }
    public required string ContentHash { get; init; }
    public required string ContractDigest { get; init; }
    public required string Body { get; init; }
}
