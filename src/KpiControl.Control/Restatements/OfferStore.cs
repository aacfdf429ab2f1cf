using System.Globalization;
using Dapper;
using KpiControl.Control.Database;
using Npgsql;

namespace KpiControl.Control.Restatements;

/// <summary>Finds numbers that were reported before what they were computed from changed, and offers to restate them; under the scheduler's role.</summary>
internal sealed class OfferStore(Databases databases)
{
    // However many nodes look, one of them has a cause at a time. The longer ago it was published, the rarer it is looked at again: some
    // thirty times over the day in which a run that had begun before it may still end, and once after.
    private const string LateSql =
        """
        SELECT l.refresh_id, f.tenant_id, f.environment, f.region, f.dataset AS source, f.data_through, f.changed_from, f.published_at, f.source_run
          FROM kpi_late_refresh l JOIN kpi_refresh f USING (refresh_id)
         WHERE (l.looked_at IS NULL OR l.looked_at < l.watch_until) AND (l.looked_at IS NULL OR l.looked_at < now() - greatest(@again::interval, (l.looked_at - f.published_at) / 4))
         ORDER BY l.looked_at NULLS FIRST, l.refresh_id LIMIT 1 FOR NO KEY UPDATE OF l SKIP LOCKED
        """;

    private const string LookedAtSql = "UPDATE kpi_late_refresh SET looked_at = now() WHERE refresh_id = @refresh";

    /// <summary>Makes the offers that one late refresh leads to.</summary>
    /// <param name="datesOf">The business dates in question of a job in a zone; null where it has none.</param>
    /// <returns>How many; null where no late refresh is to be looked at now.</returns>
    public async Task<int?> OfferLateAsync(TimeSpan again, TimeSpan offerFor, Func<LateRefresh, string, (DateOnly First, DateOnly Last)?> datesOf, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        if (await connection.QuerySingleOrDefaultAsync<LateRefresh>(new CommandDefinition(LateSql, new { again }, transaction, cancellationToken: token)) is not { } late)
            return null;
        var cause = new OfferCause("refresh", late.RefreshId, null, late.TenantId, late.Environment, late.Region, "gdp", late.Source, $"refresh/{late.RefreshId}", late.PublishedAt, late.SourceRun);
        var made = await OfferAsync(connection, transaction, cause, offerFor, job => datesOf(late, job.Timezone) is { } dates ? [dates] : [], token);
        await connection.ExecuteAsync(new CommandDefinition(LookedAtSql, new { refresh = late.RefreshId }, transaction, cancellationToken: token));
        await transaction.CommitAsync(token);
        return made;
    }

    private const string RestatedSql =
        """
        SELECT s.restatement_id, s.tenant_id, b.environment, b.region, b.kpi_id || '@' || b.contract_version AS source,
               ARRAY(SELECT DISTINCT p.business_date::text FROM kpi_backfill_slot p JOIN kpi_backfill q USING (backfill_id)
                      WHERE q.restatement_id = s.restatement_id AND p.state IN ('success', 'partial')) AS dates
          FROM kpi_restatement s JOIN kpi_backfill f USING (backfill_id) JOIN kpi_job_binding b ON b.binding_id = s.binding_id
         WHERE s.state = 'accepted' AND s.cascaded_at IS NULL AND f.finished_at IS NOT NULL
         ORDER BY s.restatement_id LIMIT 1 FOR NO KEY UPDATE OF s SKIP LOCKED
        """;

    private const string CascadedSql = "UPDATE kpi_restatement SET cascaded_at = now() WHERE restatement_id = @id";

    /// <summary>Offers to restate what took a KPI that was restated.</summary>
    /// <returns>How many; null where none was restated since.</returns>
    public async Task<int?> OfferDownstreamAsync(TimeSpan offerFor, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        if (await connection.QuerySingleOrDefaultAsync<RestatedKpi>(new CommandDefinition(RestatedSql, transaction: transaction, cancellationToken: token)) is not { } upstream)
            return null;
        var dates = upstream.Dates.Select(date => DateOnly.ParseExact(date, "yyyy-MM-dd", CultureInfo.InvariantCulture)).Select(date => (date, date)).ToArray();
        var cause = new OfferCause("kpi", null, upstream.RestatementId, upstream.TenantId, upstream.Environment, upstream.Region, "kpi", upstream.Source, $"restatement/{upstream.RestatementId}", null, null);
        var made = dates.Length == 0 ? 0 : await OfferAsync(connection, transaction, cause, offerFor, _ => dates, token);
        await connection.ExecuteAsync(new CommandDefinition(CascadedSql, new { id = upstream.RestatementId }, transaction, cancellationToken: token));
        await transaction.CommitAsync(token);
        return made;
    }

    private const string DependantsSql =
        """
        SELECT b.binding_id, b.timezone FROM kpi_job_dependency d JOIN kpi_job_binding b USING (binding_id)
         WHERE d.tenant_id = @Tenant AND d.dep_type = @DepType AND d.dep_value = @Source AND b.environment = @Environment AND (@Region::text IS NULL OR b.region = @Region) AND b.active_flag
         ORDER BY b.binding_id
        """;

    // Of a date its last good run, where that computed a number, not in the restated view by its own definition, and was granted before the
    // cause, which it is not itself (a run may build a table and publish it): a later one took what there is now. An attempt's id tells when it was granted, by the database's clock. An offer that
    // nobody has accepted yet gives way to one that covers all its dates: both would compute the same.
    private const string OfferSql =
        """
        WITH x AS (
          SELECT * FROM unnest(@bindings, @firsts, @lasts) AS x(binding_id, first, last)
        ), reported AS MATERIALIZED (
          SELECT DISTINCT ON (h.binding_id, h.business_date) h.binding_id, h.business_date, h.tenant_id, h.run_id, h.revision, h.scheduled_for, h.window_start, h.attempt_id
            FROM x JOIN kpi_job_history h ON h.binding_id = x.binding_id AND h.recorded_at >= x.first::timestamptz - interval '1 day' AND h.business_date BETWEEN x.first AND x.last
           WHERE h.final AND h.status IN ('success', 'partial') AND h.trigger_kind <> 'restatement' AND h.attempt_id IS NOT NULL
           ORDER BY h.binding_id, h.business_date, h.recorded_at DESC, h.run_id DESC
        ), due AS MATERIALIZED (
          SELECT p.* FROM reported p
            JOIN kpi_binding_revision r ON r.binding_id = p.binding_id AND r.revision = p.revision JOIN kpi_job_def d USING (def_id)
           WHERE coalesce(d.canonical_json::jsonb #>> '{runtime,scd_view}', 'as_reported') = 'as_reported'
             AND coalesce(d.canonical_json::jsonb #>> '{run,profile}', 'kpi_only') IN ('kpi_only', 'backfill') AND coalesce(d.canonical_json::jsonb #> '{run,stage_set}' @> '["kpi"]', true)
             AND (@SourceRun::text IS NULL OR @SourceRun <> 'run/' || p.run_id)
             AND (@Before::timestamptz IS NULL OR to_timestamp(('x' || left(replace(p.attempt_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) < @Before)
             AND NOT EXISTS (SELECT FROM kpi_restatement_slot s WHERE s.binding_id = p.binding_id AND s.cause_key = @CauseKey AND s.business_date = p.business_date)
        ), offer AS (
          INSERT INTO kpi_restatement (tenant_id, binding_id, cause, refresh_id, upstream_id, source, first_date, last_date, expires_at)
          SELECT tenant_id, binding_id, @Cause, @Refresh, @Upstream, @Source, min(business_date), max(business_date), now() + @offerFor::interval FROM due GROUP BY 1, 2 ORDER BY 2
          RETURNING restatement_id, tenant_id, binding_id, first_date, last_date
        ), slots AS (
          INSERT INTO kpi_restatement_slot (restatement_id, business_date, binding_id, tenant_id, run_id, revision, slot, window_start, cause_key)
          SELECT o.restatement_id, due.business_date, due.binding_id, due.tenant_id, due.run_id, due.revision, due.scheduled_for, due.window_start, @CauseKey FROM due JOIN offer o USING (binding_id)
        ), superseded AS (
          UPDATE kpi_restatement s SET state = 'superseded', superseded_by = o.restatement_id, closed_at = now(), closed_by = 'system' FROM offer o
           WHERE s.binding_id = o.binding_id AND s.state = 'offered'
             AND NOT EXISTS (SELECT FROM kpi_restatement_slot t WHERE t.restatement_id = s.restatement_id AND NOT EXISTS (SELECT FROM due WHERE due.binding_id = t.binding_id AND due.business_date = t.business_date))
          RETURNING s.restatement_id, s.tenant_id, s.superseded_by
        ), audited AS (
          INSERT INTO kpi_audit (tenant_id, environment, actor, verb, object_kind, object_id, after)
          SELECT tenant_id, @Environment, 'system', 'Backfill', 'restatement', restatement_id::text,
                 jsonb_build_object('state', 'offered', 'binding_id', binding_id, 'cause', @CauseKey, 'source', @Source, 'first_date', first_date, 'last_date', last_date) FROM offer
          UNION ALL
          SELECT tenant_id, @Environment, 'system', 'Backfill', 'restatement', restatement_id::text, jsonb_build_object('state', 'superseded', 'superseded_by', superseded_by) FROM superseded
          RETURNING audit_id
        ), chained AS (
          INSERT INTO kpi_chain_pending (audit_ids) SELECT array_agg(audit_id) FROM audited HAVING count(*) > 0
        )
        SELECT count(*)::int FROM offer
        """;

    private const int JobsAtOnce = 500;

    private static async Task<int> OfferAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, OfferCause cause, TimeSpan offerFor, Func<Dependant, IEnumerable<(DateOnly First, DateOnly Last)>> datesOf, CancellationToken token)
    {
        var dependants = await connection.QueryAsync<Dependant>(new CommandDefinition(DependantsSql, cause, transaction, cancellationToken: token));
        var made = 0;
        foreach (var some in dependants.SelectMany(job => datesOf(job).Select(dates => (job.BindingId, dates.First, dates.Last))).Chunk(JobsAtOnce))
        {
            var parameters = new DynamicParameters(cause);
            parameters.AddDynamicParams(new
            {
                bindings = some.Select(s => s.BindingId).ToArray(), firsts = some.Select(s => s.First).ToArray(), lasts = some.Select(s => s.Last).ToArray(), offerFor,
            });
            made += await connection.QuerySingleAsync<int>(new CommandDefinition(OfferSql, parameters, transaction, cancellationToken: token));
        }
        return made;
    }

    private const string ExpireSql =
        """
        WITH ended AS (
          UPDATE kpi_restatement SET state = 'expired', closed_at = expires_at, closed_by = 'system' WHERE state IN ('offered', 'proposed') AND expires_at <= now()
          RETURNING restatement_id, tenant_id, binding_id
        ), audited AS (
          INSERT INTO kpi_audit (tenant_id, environment, actor, verb, object_kind, object_id, reason, after)
          SELECT e.tenant_id, b.environment, 'system', 'Backfill', 'restatement', e.restatement_id::text, 'expired', jsonb_build_object('state', 'expired') FROM ended e JOIN kpi_job_binding b USING (binding_id)
          RETURNING audit_id
        ), chained AS (
          INSERT INTO kpi_chain_pending (audit_ids) SELECT array_agg(audit_id) FROM audited HAVING count(*) > 0
        )
        SELECT count(*)::int FROM ended
        """;

    /// <returns>How many offers lapsed.</returns>
    public async Task<int> ExpireAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return await connection.QuerySingleAsync<int>(new CommandDefinition(ExpireSql, cancellationToken: token));
    }

    private sealed record OfferCause(
        string Cause, long? Refresh, long? Upstream, string Tenant, string Environment, string? Region, string DepType, string Source, string CauseKey, DateTimeOffset? Before, string? SourceRun);

    private sealed record Dependant
    {
        public long BindingId { get; init; }
        public string Timezone { get; init; } = "UTC";
    }

    private sealed record RestatedKpi
    {
        public long RestatementId { get; init; }
        public string TenantId { get; init; } = "";
        public string Environment { get; init; } = "";
        public string Region { get; init; } = "";
        public string Source { get; init; } = "";
        public string[] Dates { get; init; } = [];
    }
}

/// <summary>A refresh of a time that jobs may have reported already.</summary>
internal sealed record LateRefresh
{
    public long RefreshId { get; init; }
    public string TenantId { get; init; } = "";
    public string Environment { get; init; } = "";
    public string? Region { get; init; }
    public string Source { get; init; } = "";
    public DateTimeOffset DataThrough { get; init; }
    public DateTimeOffset? ChangedFrom { get; init; }
    public DateTimeOffset PublishedAt { get; init; }
    public string SourceRun { get; init; } = "";
}
