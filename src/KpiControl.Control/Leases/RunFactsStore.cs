using System.Globalization;
using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Leases;

/// <summary>Reads what stood when attempts ran: the policy in force, and what their dependencies were met by.</summary>
internal sealed class RunFactsStore(Databases databases)
{
    private const string PoliciesSql =
        """
        SELECT x.tenant, x.environment, coalesce((SELECT max(p.version) FROM kpi_tenant_policy p WHERE p.tenant_id = x.tenant AND p.environment = x.environment), 0) AS version
          FROM unnest(@tenants, @environments) AS x(tenant, environment)
        """;

    // An upstream run with a later number was granted after this one, which therefore never took its value. Facts without such a
    // number must have stood when the attempt began: not before it was granted, by the database's clock, and not after now,
    // whatever the agent's clock says. What is reported takes what was reported; a restatement takes a restated value where there is one.
    private const string InputsSql =
        """
        SELECT x.fence, d.dep_type AS type, d.dep_value AS name, f.refresh_id, f.data_through, f.source_run, f.version, s.signal_id,
               coalesce(f.published_at, s.published_at) AS published_at, coalesce(f.published_by, s.published_by) AS published_by, u.run_id, u.job_id
          FROM (SELECT binding_id, fence, business_date, scheduled_for, restated, greatest(granted, least(coalesce(began, granted), now())) AS began
                  FROM unnest(@ids, @fences, @dates, @slots, @restated, @granted, @began) AS asked(binding_id, fence, business_date, scheduled_for, restated, granted, began)) x
          JOIN kpi_job_binding b ON b.binding_id = x.binding_id
          JOIN kpi_job_dependency d ON d.binding_id = x.binding_id
          LEFT JOIN LATERAL (
            SELECT refresh_id, data_through, source_run, version, published_at, published_by FROM kpi_refresh
             WHERE d.dep_type = 'gdp' AND tenant_id = b.tenant_id AND environment = b.environment AND dataset = d.dep_value AND (region IS NULL OR region = b.region) AND published_at <= x.began
             ORDER BY data_through DESC, published_at DESC LIMIT 1) f ON true
          LEFT JOIN LATERAL (
            SELECT signal_id, published_at, published_by FROM (
              SELECT signal_id, region, published_at, published_by FROM kpi_signal
               WHERE tenant_id = b.tenant_id AND environment = b.environment AND name = d.dep_value AND business_date = x.business_date
              UNION ALL
              SELECT g.signal_id, g.region, g.published_at, g.published_by FROM kpi_signal_use v JOIN kpi_signal g USING (signal_id)
               WHERE v.binding_id = x.binding_id AND v.scheduled_for = x.scheduled_for AND g.environment = b.environment AND g.name = d.dep_value) g
             WHERE d.dep_type = 'signal' AND (region IS NULL OR region = b.region) AND published_at <= x.began
             ORDER BY published_at DESC LIMIT 1) s ON true
          LEFT JOIN LATERAL (
            SELECT h.run_id, o.job_id FROM kpi_job_binding o JOIN kpi_job_history h ON h.binding_id = o.binding_id
             WHERE d.dep_type = 'kpi' AND o.tenant_id = b.tenant_id AND o.environment = b.environment AND o.region = b.region
               AND o.kpi_id = split_part(d.dep_value, '@', 1) AND o.contract_version = split_part(d.dep_value, '@', 2)
               AND h.recorded_at >= x.business_date::timestamptz - interval '1 day' AND h.business_date = x.business_date
               AND h.final AND h.status IN ('success', 'partial') AND h.run_id < x.fence AND (x.restated OR h.trigger_kind <> 'restatement')
             ORDER BY h.trigger_kind = 'restatement' DESC, h.recorded_at DESC LIMIT 1) u ON true
         ORDER BY x.fence, d.dep_type, d.dep_value
        """;

    /// <returns>Of each attempt, in their order.</returns>
    public async Task<IReadOnlyList<RunFacts>> OfAsync(IReadOnlyList<RunAsked> attempts, CancellationToken token)
    {
        if (attempts.Count == 0)
            return [];
        // On the hot path's pool, whose plans are kept: what these take is found by index, and planning it anew took 3 ms a batch.
        await using var connection = await databases.Hot.OpenConnectionAsync(token);
        var places = attempts.Select(a => (a.Plan.Tenant, a.Plan.Environment)).Distinct().ToList();
        var policies = (await connection.QueryAsync<(string Tenant, string Environment, int Version)>(new CommandDefinition(PoliciesSql, new
        {
            tenants = places.Select(p => p.Tenant).ToArray(), environments = places.Select(p => p.Environment).ToArray(),
        }, cancellationToken: token))).ToDictionary(p => (p.Tenant, p.Environment), p => p.Version);
        var dependent = attempts.Where(a => a.Plan.HasDependencies).ToList();
        var inputs = dependent.Count == 0 ? null : (await connection.QueryAsync<RunInput>(new CommandDefinition(InputsSql, new
        {
            ids = dependent.Select(a => a.Plan.BindingId).ToArray(), fences = dependent.Select(a => a.Fence).ToArray(),
            dates = dependent.Select(a => a.BusinessDate).ToArray(), slots = dependent.Select(a => a.ScheduledFor.UtcDateTime).ToArray(), restated = dependent.Select(a => a.IsRestatement).ToArray(),
            granted = dependent.Select(a => a.GrantedBy.UtcDateTime).ToArray(), began = dependent.Select(a => a.Began?.UtcDateTime).ToArray(),
        }, cancellationToken: token))).ToLookup(i => i.Fence);
        var restated = attempts.Where(a => a.IsRestatement).ToList();
        var restatements = restated.Count == 0 ? null : (await connection.QueryAsync<RunRestatement>(new CommandDefinition(RestatementsSql, new
        {
            ids = restated.Select(a => a.Plan.BindingId).ToArray(), slots = restated.Select(a => a.ScheduledFor.UtcDateTime).ToArray(),
        }, cancellationToken: token))).ToDictionary(r => (r.BindingId, r.Slot));
        return [.. attempts.Select(a => new RunFacts(policies[(a.Plan.Tenant, a.Plan.Environment)], inputs is null ? [] : [.. inputs[a.Fence]])
        {
            Restatement = a.IsRestatement ? restatements!.GetValueOrDefault((a.Plan.BindingId, a.ScheduledFor)) : null,
        })];
    }

    private const string RestatementsSql =
        """
        SELECT x.binding_id, x.slot, s.restatement_id, t.run_id AS reported_run_id, coalesce('refresh/' || s.refresh_id, 'restatement/' || s.upstream_id) AS cause, s.source, s.accepted_by, s.reason, s.digest,
               ARRAY(SELECT d.capacity || ': ' || d.principal FROM kpi_restatement_decision d WHERE d.restatement_id = s.restatement_id AND d.decision = 'approve' ORDER BY 1) AS approvers
          FROM unnest(@ids, @slots) AS x(binding_id, slot)
          JOIN kpi_backfill_slot p ON p.binding_id = x.binding_id AND p.occurrence_at = x.slot JOIN kpi_backfill q USING (backfill_id)
          JOIN kpi_restatement s ON s.restatement_id = q.restatement_id JOIN kpi_restatement_slot t ON t.restatement_id = s.restatement_id AND t.business_date = p.business_date
        """;
}

/// <summary>An attempt whose surroundings are asked for.</summary>
/// <param name="Began">By the agent's clock; null where it did not say.</param>
internal readonly record struct RunAsked(Guid Attempt, BindingPlan Plan, long Fence, DateOnly BusinessDate, DateTimeOffset ScheduledFor, OccurrenceKind Kind, DateTimeOffset? Began)
{
    public bool IsRestatement => Kind == OccurrenceKind.Restatement;

    /// <summary>By then it was granted: the end of the millisecond that its id tells.</summary>
    public DateTimeOffset GrantedBy => AttemptId.GrantedAt(Attempt)?.AddMilliseconds(1) ?? DateTimeOffset.UnixEpoch;
}

/// <param name="PolicyVersion">0: none was ever put.</param>
internal sealed record RunFacts(int PolicyVersion, IReadOnlyList<RunInput> Inputs)
{
    /// <summary>Null: the run reports.</summary>
    public RunRestatement? Restatement { get; init; }
}

/// <summary>Which number a run restates, because of what, and who agreed to it.</summary>
internal sealed record RunRestatement
{
    public long BindingId { get; init; }
    public DateTimeOffset Slot { get; init; }
    public long RestatementId { get; init; }
    public long ReportedRunId { get; init; }
    /// <summary><c>refresh/12</c> or <c>restatement/7</c>.</summary>
    public string Cause { get; init; } = "";
    public string Source { get; init; } = "";
    public string AcceptedBy { get; init; } = "";
    public string Reason { get; init; } = "";
    /// <summary>What was agreed to.</summary>
    public string Digest { get; init; } = "";
    /// <summary>Each with the capacity: <c>business: ann</c>; none where policy asked for none.</summary>
    public string[] Approvers { get; init; } = [];
}

/// <summary>A dependency and what it was met by; without either, it was met by something that is gone.</summary>
internal sealed record RunInput
{
    /// <summary>Of the attempt whose dependency it is.</summary>
    public long Fence { get; init; }
    /// <summary><c>gdp</c>, <c>signal</c> or <c>kpi</c>.</summary>
    public string Type { get; init; } = "";
    public string Name { get; init; } = "";
    public long? RefreshId { get; init; }
    public DateTimeOffset? DataThrough { get; init; }
    public string? SourceRun { get; init; }
    public string? Version { get; init; }
    public long? SignalId { get; init; }
    public DateTimeOffset? PublishedAt { get; init; }
    public string? PublishedBy { get; init; }
    /// <summary>The upstream KPI's run.</summary>
    public long? RunId { get; init; }
    public string? JobId { get; init; }

    public bool IsMet => RefreshId is not null || SignalId is not null || RunId is not null;

    /// <summary>As it is kept in evidence: every value a text.</summary>
    public IEnumerable<(string Name, string? Value)> Members() =>
    [
        ("type", Type), ("name", Name), ("refresh_id", Text(RefreshId)), ("data_through", Text(DataThrough)), ("source_run", SourceRun), ("version", Version),
        ("signal_id", Text(SignalId)), ("published_at", Text(PublishedAt)), ("published_by", PublishedBy), ("run_id", Text(RunId)), ("job_id", JobId),
    ];

    private static string? Text(long? number) => number?.ToString(CultureInfo.InvariantCulture);

    private static string? Text(DateTimeOffset? at) => at is { } time ? Audit.ChainTime.Text(time.UtcDateTime) : null;
}
