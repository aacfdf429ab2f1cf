using KpiControl.Control.Changes;
using KpiControl.Control.Requests;

namespace KpiControl.Control.Restatements;

/// <summary>Offers as people look at them and decide on them.</summary>
internal static class RestatementStore
{
    private const string Select =
        """
        SELECT s.restatement_id, s.binding_id, s.tenant_id, b.environment, b.region, b.job_id, b.kpi_id, b.contract_version, s.cause, s.source, s.refresh_id, f.source_run, f.version,
               f.published_by, f.published_at, f.data_through, f.changed_from, s.upstream_id, s.first_date, s.last_date, s.offered_at, s.expires_at, s.state AS stored, s.expires_at <= now() AS lapsed,
               s.superseded_by, s.digest, s.required::text AS required, s.accepted_at, s.accepted_by, s.reason, s.closed_at, s.closed_by, s.close_reason, s.backfill_id, k.finished_at,
               (SELECT count(*) FROM kpi_restatement_slot t WHERE t.restatement_id = s.restatement_id)::int AS total,
               (SELECT count(DISTINCT p.business_date) FROM kpi_backfill q JOIN kpi_backfill_slot p USING (backfill_id) WHERE q.restatement_id = s.restatement_id AND p.state IN ('success', 'partial'))::int AS restated
          FROM kpi_restatement s JOIN kpi_job_binding b USING (binding_id)
          LEFT JOIN kpi_refresh f ON f.refresh_id = s.refresh_id
          LEFT JOIN kpi_backfill k ON k.backfill_id = s.backfill_id
        """;

    private const string Find = Select + " WHERE s.restatement_id = @id AND (@tenants::text[] IS NULL OR s.tenant_id = ANY (@tenants))";

    public static Task<RestatementRow?> FindAsync(RequestTransaction tx, long id) => tx.FindAsync<RestatementRow>(Find, new { id, tenants = tx.Tenants });

    // "accepted" is running, restated and failed alike: how far it is, its backfill tells.
    private const string List = Select +
        """
         WHERE EXISTS (SELECT FROM unnest(@tenants, @environments) AS g(tenant_id, environment)
                        WHERE g.tenant_id IN ('*', s.tenant_id) AND g.environment IN ('*', b.environment))
           AND (@tenant::text = '' OR s.tenant_id = @tenant) AND (@environment::text = '' OR b.environment = @environment) AND (@binding::bigint = 0 OR s.binding_id = @binding)
           AND (@refresh::bigint = 0 OR s.refresh_id = @refresh)
           AND CASE @state WHEN 'all' THEN true WHEN 'accepted' THEN s.state = 'accepted'
                 WHEN 'closed' THEN s.state IN ('declined', 'expired', 'superseded') OR s.state IN ('offered', 'proposed') AND s.expires_at <= now()
                 ELSE s.state IN ('offered', 'proposed') AND s.expires_at > now() END
           AND (@after::bigint IS NULL OR s.restatement_id < @after) ORDER BY s.restatement_id DESC LIMIT @limit
        """;

    public static Task<IReadOnlyList<RestatementRow>> ListAsync(RequestTransaction tx, object parameters) => tx.QueryAsync<RestatementRow>(List, parameters);

    private const string Dates =
        """
        SELECT t.business_date, t.run_id AS reported_run_id, t.revision, d.content_hash, coalesce(p.state, 'offered') AS state, CASE WHEN p.state IN ('success', 'partial') THEN p.run_id END AS restated_run_id
          FROM kpi_restatement_slot t
          JOIN kpi_binding_revision r ON r.binding_id = t.binding_id AND r.revision = t.revision JOIN kpi_job_def d USING (def_id)
          LEFT JOIN LATERAL (
            SELECT p.state, p.run_id FROM kpi_backfill q JOIN kpi_backfill_slot p USING (backfill_id)
             WHERE q.restatement_id = t.restatement_id AND p.business_date = t.business_date ORDER BY q.backfill_id DESC LIMIT 1) p ON true
         WHERE t.restatement_id = @id ORDER BY t.business_date LIMIT @limit
        """;

    public static Task<IReadOnlyList<RestatedDateRow>> DatesAsync(RequestTransaction tx, long id, int limit = int.MaxValue) => tx.QueryAsync<RestatedDateRow>(Dates, new { id, limit });

    private const string Points =
        """
        SELECT h.run_id, coalesce(h.data_points, 0) AS data_points, (e.document->'points')::text AS points
          FROM kpi_job_history h JOIN kpi_evidence e ON e.run_id = h.run_id AND e.attempt_id = h.attempt_id AND e.kind = 'run'
         WHERE h.run_id = ANY (@runs) AND h.binding_id = @binding
        """;

    public static Task<IReadOnlyList<PointsRow>> PointsAsync(RequestTransaction tx, long binding, long[] runs) => tx.QueryAsync<PointsRow>(Points, new { binding, runs });

    private const string Propose =
        """
        UPDATE kpi_restatement SET state = 'proposed', digest = @digest, required = @required::jsonb, accepted_at = now(), accepted_by = @by, reason = @reason
         WHERE restatement_id = @id AND state = 'offered' AND expires_at > clock_timestamp()
        """;

    /// <returns>False where it is not offered any more.</returns>
    public static async Task<bool> ProposeAsync(RequestTransaction tx, long id, string digest, string required, string reason) =>
        await tx.ExecuteAsync(Propose, new { id, digest, required, by = tx.Caller.Principal, reason }) == 1;

    private const string Start =
        """
        UPDATE kpi_restatement SET state = 'accepted', backfill_id = @backfill, cascaded_at = NULL
         WHERE restatement_id = @id AND (state = 'accepted' OR state = 'proposed' AND expires_at > clock_timestamp())
        """;

    /// <returns>False where it lapsed or was closed.</returns>
    public static async Task<bool> StartAsync(RequestTransaction tx, long id, long backfill) => await tx.ExecuteAsync(Start, new { id, backfill }) == 1;

    private const string Decline =
        """
        UPDATE kpi_restatement SET state = 'declined', closed_at = now(), closed_by = @by, close_reason = @reason
         WHERE restatement_id = @id AND state IN ('offered', 'proposed') AND expires_at > clock_timestamp()
        """;

    /// <returns>False where it was decided before, or lapsed.</returns>
    public static async Task<bool> DeclineAsync(RequestTransaction tx, long id, string reason) => await tx.ExecuteAsync(Decline, new { id, by = tx.Caller.Principal, reason }) == 1;

    private const string Decide =
        """
        INSERT INTO kpi_restatement_decision (restatement_id, principal, tenant_id, capacity, decision, digest, comment)
        SELECT restatement_id, @by, tenant_id, @capacity, @decision, digest, @comment FROM kpi_restatement
         WHERE restatement_id = @id AND state = 'proposed' AND expires_at > clock_timestamp() AND accepted_by <> @by
        ON CONFLICT (restatement_id, principal) DO NOTHING
        """;

    /// <returns>False where it takes no decision of this person.</returns>
    public static async Task<bool> DecideAsync(RequestTransaction tx, long id, string capacity, string decision, string comment) =>
        await tx.ExecuteAsync(Decide, new { id, by = tx.Caller.Principal, capacity, decision, comment }) == 1;

    private const string Decisions =
        """
        SELECT restatement_id AS change_id, principal, capacity, decision, digest, comment, decided_at FROM kpi_restatement_decision
         WHERE restatement_id = ANY (@ids) ORDER BY decided_at, principal
        """;

    /// <summary>By restatement.</summary>
    public static async Task<ILookup<long, DecisionRow>> DecisionsAsync(RequestTransaction tx, params long[] ids) =>
        (await tx.QueryAsync<DecisionRow>(Decisions, new { ids })).ToLookup(row => row.ChangeId);
}
