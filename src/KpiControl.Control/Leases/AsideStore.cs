using Dapper;
using KpiControl.Control.Database;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KpiControl.Control.Leases;

/// <summary>Overlap <c>allow</c>: what runs stands aside for the next occurrence of its job, and has its turn again when it is to be tried once more.</summary>
internal sealed class AsideStore(Databases databases, IOptions<LeaseOptions> options)
{
    /// <summary>Of an open occurrence in the runtime row: it runs, or is between two attempts. One that merely waits stays, and others queue behind it.</summary>
    internal const string MakesRoom = "(rt.occ_state = 'L' OR rt.occ_state = 'R' AND (rt.retry_count > 0 OR rt.attempt_id IS NOT NULL))";

    // The runtime row decides, as in every grant: a completion, a pause, a cancel or an edit that came first leaves nothing here. And the session lives on
    // until this is committed: whoever gives back its leases once it has ended finds them in one of the two places.
    private const string StandSql =
        $"""
        WITH x AS (
          SELECT * FROM unnest(@ids, @revisions) AS x(binding_id, revision)
        ), se AS MATERIALIZED (
          SELECT s.session_id FROM kpi_session s
           WHERE s.ended_at IS NULL AND s.session_id IN (SELECT rt.session_id FROM kpi_job_runtime rt JOIN x USING (binding_id) WHERE rt.occ_state = 'L') ORDER BY s.session_id FOR SHARE OF s
        ), was AS MATERIALIZED (
          SELECT rt.* FROM kpi_job_runtime rt JOIN x USING (binding_id)
           WHERE rt.revision = x.revision AND {MakesRoom} AND rt.aside < @most
             AND rt.lane + 0 > 0 AND rt.active AND (rt.paused_until IS NULL OR rt.paused_until <= now())
             AND (rt.occ_state = 'R' OR rt.session_id IN (SELECT session_id FROM se))
           ORDER BY rt.binding_id FOR NO KEY UPDATE OF rt
        ), put AS (
          INSERT INTO kpi_aside (binding_id, tenant_id, {AsideTurnStore.Facts}) SELECT binding_id, tenant_id, {AsideTurnStore.Facts} FROM was
        ), u AS (
          UPDATE kpi_job_runtime rt SET occ_state = NULL, session_id = NULL, generation = NULL, lease_deadline = NULL, attempt_id = NULL, occ_cancel = false, occ_retry_at = NULL, aside = rt.aside + 1
            FROM was WHERE rt.binding_id = was.binding_id RETURNING rt.binding_id
        ), unparked AS (
          DELETE FROM kpi_parked k USING u WHERE k.binding_id = u.binding_id
        )
        SELECT binding_id FROM u
        """;

    /// <summary>Makes room in the rows of jobs that say so under the revision that was seen.</summary>
    /// <returns>The bindings whose row is free now.</returns>
    public async Task<IReadOnlySet<long>> StandAsync(IReadOnlyCollection<PlanKey> bindings, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<long>(new CommandDefinition(StandSql, new
        {
            ids = bindings.Select(b => b.BindingId).ToArray(), revisions = bindings.Select(b => b.Revision).ToArray(), most = options.Value.MostAtOncePerBinding - 1,
        }, cancellationToken: token))).ToHashSet();
    }

    // A stretch of slots that is caught up with runs one after the other, oldest first, whatever the job says.
    private const string CrowdedSql =
        $"""
        SELECT DISTINCT rt.binding_id, rt.revision
          FROM kpi_job_binding b JOIN kpi_occurrence o USING (binding_id) JOIN kpi_job_runtime rt USING (binding_id)
         WHERE b.schedule_extra ->> 'overlap' = 'allow' AND o.lane = @lane AND rt.lane > 0 AND rt.aside < @most AND {MakesRoom}
           AND (NOT {QueueStore.CatchesUp} OR NOT (rt.occ_kind = {KindNumber.Schedule} AND rt.occ_scheduled_for < o.scheduled_for) AND {QueueStore.NoOlderAside})
         LIMIT @limit
        """;

    /// <summary>Makes room for what queues in a lane.</summary>
    public async Task MakeRoomAsync(short lane, CancellationToken token)
    {
        List<PlanKey> crowded;
        await using (var connection = await databases.Scheduler.OpenConnectionAsync(token))
            crowded = [.. (await connection.QueryAsync<(long BindingId, int Revision)>(new CommandDefinition(CrowdedSql, new
            {
                lane, most = options.Value.MostAtOncePerBinding - 1, limit = options.Value.BatchSize,
            }, cancellationToken: token))).Select(row => new PlanKey(row.BindingId, row.Revision))];
        if (crowded.Count > 0)
            await StandAsync(crowded, token);
    }

    // Of a lane the first of each binding that is to go on; what runs is not among them.
    private const string ScanSql =
        """
        SELECT DISTINCT ON (a.binding_id) now() AS now, a.binding_id, a.occ_scheduled_for AS scheduled_for, a.occ_kind AS kind, a.occ_window_start AS window_start, a.occ_business_date AS business_date,
               rt.revision, coalesce(a.occ_pinned, rt.revision) AS runs_under, a.occ_revision AS ran_under, a.retry_count, a.fence_n AS fence_seen, a.attempt_id AS lost_attempt, a.occ_lost_as AS lost_because, a.tenant_id AS tenant,
               coalesce(a.occ_retry_at, now()) AS ready_at, a.occ_deadline AS deadline, rt.occ_state IS NULL AS row_is_free, rt.lane > 0 AS may_start
          FROM kpi_aside a JOIN kpi_job_runtime rt USING (binding_id)
         WHERE a.occ_state = 'R' AND coalesce(a.occ_lane, abs(rt.lane)) = @lane
         ORDER BY a.binding_id, least(coalesce(a.occ_retry_at, '-infinity'), a.occ_deadline), a.occ_scheduled_for LIMIT @limit
        """;

    /// <summary>What stands aside and does not run.</summary>
    public async Task<IReadOnlyList<AsideRow>> ScanAsync(short lane, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<AsideRow>(new CommandDefinition(ScanSql, new { lane, limit = options.Value.BatchSize }, cancellationToken: token))).AsList();
    }

    /// <summary>Back into rows that are free, where they are leased, shown and given up as any other.</summary>
    public Task ComeBackAsync(IReadOnlyCollection<AsideKey> keys, CancellationToken token) => InTurnAsync(keys, (_, _) => Task.CompletedTask, token);

    /// <summary>Ends what found its dependencies not ready for too long.</summary>
    public Task GiveUpAsync(IReadOnlyCollection<AsideRow> rows, CancellationToken token) => InTurnAsync([.. rows.Select(row => row.Key)], async (connection, turn) =>
    {
        foreach (var key in turn)
            await connection.ExecuteScalarAsync<int>(new CommandDefinition(ParkedEndStore.EndSql, new
            {
                key.BindingId, key.ScheduledFor, key.Kind, status = "skipped", reason = rows.First(row => row.Key == key).MayStart ? "not_ready" : "paused",
            }, cancellationToken: token));
    }, token);

    // Sessions before rows, as every grant takes them: one that ends meanwhile waits for this, and this never for whoever buries it.
    private const string HoldSql = "SELECT session_id FROM kpi_session WHERE session_id = ANY (@ids) ORDER BY session_id FOR SHARE";

    /// <summary>Leases what stands aside while another of its binding is in the row.</summary>
    public async Task<IReadOnlyList<GrantedReady>> GrantAsync(IReadOnlyList<ReadyGrant> grants, NodeRef node, CancellationToken token)
    {
        await using var connection = await databases.Hot.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.ExecuteAsync(new CommandDefinition(HoldSql, new { ids = grants.Select(grant => grant.Session.SessionId).Distinct().ToArray() }, cancellationToken: token));
        var byKey = grants.ToDictionary(grant => new AsideKey(grant.Row.BindingId, grant.Row.ScheduledFor, (short)grant.Row.Kind));
        await AsideTurnStore.LockAsync(connection, byKey.Keys.Select(key => key.BindingId), token);
        var granted = new List<GrantedReady>(grants.Count);
        await AsideTurnStore.ServeAsync(connection, byKey.Keys,
            async turn => granted.AddRange(await ReadyStore.GrantAsync(connection, [.. turn.Select(key => byKey[key])], node, token)), token);
        await transaction.CommitAsync(token);
        return granted;
    }

    private async Task InTurnAsync(IReadOnlyCollection<AsideKey> keys, Func<NpgsqlConnection, IReadOnlyList<AsideKey>, Task> serve, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await AsideTurnStore.LockAsync(connection, keys.Select(key => key.BindingId), token);
        await AsideTurnStore.ServeAsync(connection, keys, turn => serve(connection, turn), token);
        await transaction.CommitAsync(token);
    }
}

/// <summary>An occurrence that stands aside and is to be tried again, as the database saw it at its instant <see cref="Now"/>.</summary>
internal sealed record AsideRow
{
    public DateTimeOffset Now { get; init; }
    public long BindingId { get; init; }
    public DateTimeOffset ScheduledFor { get; init; }
    public short Kind { get; init; }
    public DateTimeOffset? WindowStart { get; init; }
    public DateOnly BusinessDate { get; init; }
    public int Revision { get; init; }
    public int RunsUnder { get; init; }
    public int? RanUnder { get; init; }
    public int RetryCount { get; init; }
    public long FenceSeen { get; init; }
    public Guid? LostAttempt { get; init; }
    public WaitingFor? LostBecause { get; init; }
    public string Tenant { get; init; } = "";
    public DateTimeOffset ReadyAt { get; init; }
    public DateTimeOffset? Deadline { get; init; }
    public bool RowIsFree { get; init; }
    /// <summary>The job is active, and not paused.</summary>
    public bool MayStart { get; init; }

    public AsideKey Key => new(BindingId, ScheduledFor, Kind);
    /// <summary>Under a pause a retry waits, as in the row.</summary>
    public bool GaveUp => Deadline <= Now && (MayStart || RetryCount == 0 && LostAttempt is null);
    public bool IsDue => ReadyAt <= Now;
    /// <summary>When it is to be looked at; one that is due waits for credit, or to be resumed.</summary>
    public DateTimeOffset? LookAt => IsDue ? Deadline : Deadline < ReadyAt ? Deadline : ReadyAt;

    public ReadyRow ToReady() => new()
    {
        BindingId = BindingId, Ticket = 0, State = 'R', ReadyAt = ReadyAt, ScheduledFor = ScheduledFor, WindowStart = WindowStart, BusinessDate = BusinessDate, Kind = (OccurrenceKind)Kind,
        Revision = Revision, RunsUnder = RunsUnder, RanUnder = RanUnder, RetryCount = RetryCount, FenceSeen = FenceSeen, LostAttempt = LostAttempt, LostBecause = LostBecause, Tenant = Tenant,
    };
}
