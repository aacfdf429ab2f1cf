using KpiControl.Control.Database;
using KpiControl.Jobs.Sla;
using Npgsql;
using NpgsqlTypes;

namespace KpiControl.Control.Leases;

/// <summary>Records what attempts came to, behind their fence.</summary>
internal sealed class CompletionStore(Databases databases)
{
    // Accepted while the fence is still the occurrence's: leased, or ready again because the lease expired and nobody
    // has taken it since. Slot, window, date and revision come from the row, never from the agent.
    // A restatement is no run of the job's life: how its last one ended stays as it is.
    private const string CompleteSql =
        $"""
        WITH x AS (
          SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::int[], $5::uuid[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
                               $12::timestamptz[], $13::timestamptz[], $14::bigint[], $15::int[], $16::bytea[], $17::float8[], $18::text[], $19::text[], $20::boolean[], $21::timestamptz[],
                               $22::int2[], $23::timestamptz[], $24::timestamptz[])
                 AS x(ord, binding_id, fence_n, fence_epoch, attempt_id, reporter, status, reason, category, code, message,
                      started_at, finished_at, rows_processed, data_points, digest, retry_seconds, document, zone_version, waits, gives_up_at,
                      slowness, deliver_by, good_through)
        ), u AS (
          UPDATE kpi_job_runtime rt SET
            occ_state = CASE WHEN x.retry_seconds IS NULL OR rt.occ_cancel THEN NULL ELSE 'R'::"char" END,
            session_id = NULL, generation = NULL, lease_deadline = NULL, attempt_id = NULL,
            occ_retry_at = CASE WHEN x.retry_seconds IS NOT NULL AND NOT rt.occ_cancel THEN now() + make_interval(secs => x.retry_seconds) END,
            occ_reason = CASE WHEN x.retry_seconds IS NOT NULL AND NOT rt.occ_cancel THEN CASE WHEN x.waits THEN {ReasonNumber.Dependency} ELSE {ReasonNumber.Retry} END::int2 END,
            occ_deadline = CASE WHEN x.waits THEN coalesce(rt.occ_deadline, x.gives_up_at) END,
            retry_count = rt.retry_count + CASE WHEN x.retry_seconds IS NOT NULL AND NOT x.waits AND NOT rt.occ_cancel THEN 1 ELSE 0 END,
            last_run_at = CASE WHEN rt.occ_kind = {KindNumber.Restatement} OR x.status IN ('cancelled', 'skipped') THEN rt.last_run_at ELSE now() END,
            last_status = CASE CASE WHEN rt.occ_kind <> {KindNumber.Restatement} THEN x.status END WHEN 'success' THEN 'success' WHEN 'partial' THEN 'partial' WHEN 'failed' THEN 'failed' WHEN 'suppressed' THEN 'failed' ELSE rt.last_status END,
            good_through = greatest(rt.good_through, x.good_through),
            last_error = CASE WHEN rt.occ_kind = {KindNumber.Restatement} THEN rt.last_error WHEN x.status IN ('success', 'cancelled', 'skipped') THEN NULL ELSE left(x.code || ': ' || x.message, 300) END,
            occ_cancel = false
          FROM x
          WHERE rt.binding_id = x.binding_id AND rt.occ_state IN ('L', 'R') AND rt.fence_n = x.fence_n AND rt.fence_epoch = x.fence_epoch AND rt.attempt_id = x.attempt_id
            AND EXISTS (SELECT FROM kpi_session_tenant st WHERE st.session_id = x.reporter AND st.tenant_id = rt.tenant_id OFFSET 0)
            AND EXISTS (SELECT FROM kpi_cluster WHERE timeline = kpi_timeline())
          RETURNING x.*, rt.tenant_id, rt.occ_revision, rt.occ_scheduled_for, rt.occ_window_start, rt.occ_business_date, rt.occ_kind, coalesce(rt.occ_lane, abs(rt.lane)) AS lane, rt.queued,
            rt.occ_state IS NULL AS final, rt.occ_retry_at, rt.occ_deadline, rt.retry_count - CASE WHEN rt.occ_state IS NULL OR x.waits THEN 0 ELSE 1 END AS retry_seq
        ), h AS (
          INSERT INTO kpi_job_history (run_id, tenant_id, binding_id, revision, attempt_id, retry_seq, scheduled_for, window_start, business_date, lane, session_id, fence_epoch,
                                       started_at, finished_at, status, reason, error_category, error_code, error_message, rows_processed, data_points, lineage_ref, result_digest,
                                       trigger_kind, zone_version, final, sla_breached)
          SELECT fence_n, tenant_id, binding_id, occ_revision, attempt_id, retry_seq, occ_scheduled_for, occ_window_start, occ_business_date, lane, reporter, fence_epoch,
                 started_at, finished_at, status, reason, category, code, message, rows_processed, data_points, CASE WHEN document IS NOT NULL THEN 'attempt/' || attempt_id END, digest,
                 kpi_kind_name(occ_kind), zone_version, final,
                 CASE WHEN slowness IS NOT NULL OR deliver_by IS NOT NULL THEN coalesce(slowness = 2, false) OR coalesce(now() > deliver_by, false) END FROM u
        ), e AS (
          INSERT INTO kpi_evidence (run_id, binding_id, tenant_id, attempt_id, kind, document)
          SELECT fence_n, binding_id, tenant_id, attempt_id, 'run', document::jsonb FROM u WHERE document IS NOT NULL
        ), parking AS (
          SELECT binding_id, lane, tenant_id, 'R'::"char" AS state, occ_retry_at AS ready_at, occ_deadline AS deadline FROM u WHERE NOT final
        ),
        """ + ParkedList.Upsert +
        $"""
        , slow AS (
          INSERT INTO kpi_run_notice (tenant_id, binding_id, run_id, kind, is_breach) SELECT tenant_id, binding_id, fence_n, 'slow', slowness = 2 FROM u WHERE slowness > 0
        ), chained AS (
          INSERT INTO kpi_chain_pending (run_ids) SELECT array_agg(fence_n) FROM u HAVING count(*) > 0
        )
        SELECT ord, final, queued, lane FROM u
        """;

    /// <summary>Records a batch in one commit, and what of it stands aside in another; the completions must be in order of their bindings.</summary>
    /// <returns>What was recorded, in the order of the completions; null where the occurrence was no longer the attempt's.</returns>
    public async Task<IReadOnlyList<RecordedCompletion?>> CompleteAsync(IReadOnlyList<Completion> completions, CancellationToken token)
    {
        await using var connection = await databases.Hot.OpenConnectionAsync(token);
        using var doubt = new CommitDoubt(connection);
        var recorded = (await CommitAsync(connection, completions, token)).ToArray();
        var others = Enumerable.Range(0, recorded.Length).Where(i => recorded[i] is null).ToList();
        if (others.Count > 0)
            foreach (var (i, aside) in others.Zip(await AsideCompletionStore.CompleteAsync(connection, [.. others.Select(i => completions[i])], token)))
                recorded[i] = aside;
        await doubt.ResolveAsync(token);
        return recorded;
    }

    /// <summary>
    /// Returns when what is in the database is where it must be. A row that is found there may be of a commit that was lost on its way:
    /// it is seen before the standby has it.
    /// </summary>
    public async Task SettleAsync(CancellationToken token)
    {
        await using var connection = await databases.Hot.OpenConnectionAsync(token);
        using var doubt = new CommitDoubt(connection);
        doubt.Raise();
        await doubt.ResolveAsync(token);
    }

    private static async Task<IReadOnlyList<RecordedCompletion?>> CommitAsync(NpgsqlConnection connection, IReadOnlyList<Completion> completions, CancellationToken token)
    {
        if (completions.All(c => c.Built.Count == 0))
        {
            await using var alone = new NpgsqlCommand(CompleteSql, connection);
            return await RecordAsync(alone, completions, token);
        }
        await using var transaction = await connection.BeginTransactionAsync(token);
        var recorded = await CompleteAsync(connection, transaction, completions, token);
        await transaction.CommitAsync(token);
        return recorded;
    }

    /// <summary>Part of a transaction.</summary>
    public static async Task<IReadOnlyList<RecordedCompletion?>> CompleteAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<Completion> completions, CancellationToken token)
    {
        await using var command = new NpgsqlCommand(CompleteSql, connection, transaction);
        var recorded = await RecordAsync(command, completions, token);
        if (recorded.OfType<RecordedCompletion>().SelectMany(r => r.Completion.Built).ToList() is { Count: > 0 } built)
            await PublishAsync(connection, transaction, built, token);
        return recorded;
    }

    // One that reaches no further than what was there before is of the past, as where SignalStore takes one; built from an unchanged
    // file, and known to be the same to the last row, it corrects nothing.
    private const string PublishSql =
        """
        WITH added AS (
          INSERT INTO kpi_refresh (tenant_id, environment, region, dataset, data_through, source_run, version, published_by, changed_from)
          SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::text[], $9::timestamptz[])
          ON CONFLICT (tenant_id, environment, region, dataset, source_run) DO NOTHING RETURNING *
        )
        INSERT INTO kpi_late_refresh (refresh_id, tenant_id)
        SELECT a.refresh_id, a.tenant_id
          FROM added a JOIN LATERAL (
            SELECT max(e.data_through) AS data_through, (array_agg(e.version ORDER BY e.refresh_id DESC))[1] AS version
              FROM kpi_refresh e
             WHERE e.tenant_id = a.tenant_id AND e.environment = a.environment AND e.dataset = a.dataset AND (e.region IS NULL OR e.region = a.region)) before ON true
         WHERE (a.changed_from IS NOT NULL OR before.data_through >= a.data_through) AND NOT (a.version LIKE '%hash:%' AND a.version = coalesce(before.version, ''))
        """;

    private static async Task PublishAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<BuiltTable> built, CancellationToken token)
    {
        await using var command = new NpgsqlCommand(PublishSql, connection, transaction);
        command.Add(built, NpgsqlDbType.Text, b => b.Tenant);
        command.Add(built, NpgsqlDbType.Text, b => b.Environment);
        command.Add(built, NpgsqlDbType.Text, b => b.Region);
        command.Add(built, NpgsqlDbType.Text, b => b.Dataset);
        command.Add(built, NpgsqlDbType.TimestampTz, b => b.DataThrough.UtcDateTime);
        command.Add(built, NpgsqlDbType.Text, b => b.Run);
        command.Add(built, NpgsqlDbType.Text, b => b.Version);
        command.Add(built, NpgsqlDbType.Text, b => b.By);
        command.Add(built, NpgsqlDbType.TimestampTz, b => b.ChangedFrom?.UtcDateTime);
        await command.ExecuteNonQueryAsync(token);
    }

    private static async Task<IReadOnlyList<RecordedCompletion?>> RecordAsync(NpgsqlCommand command, IReadOnlyList<Completion> completions, CancellationToken token)
    {
        command.AddOrdinals(completions.Count);
        command.Add(completions, NpgsqlDbType.Bigint, c => c.BindingId);
        command.Add(completions, NpgsqlDbType.Bigint, c => c.FenceNumber);
        command.Add(completions, NpgsqlDbType.Integer, c => c.FenceEpoch);
        command.Add(completions, NpgsqlDbType.Uuid, c => c.Attempt);
        command.Add(completions, NpgsqlDbType.Bigint, c => c.Reporter.SessionId);
        command.Add(completions, NpgsqlDbType.Text, c => c.Status);
        command.Add(completions, NpgsqlDbType.Text, c => c.Reason);
        command.Add(completions, NpgsqlDbType.Text, c => c.ErrorCategory);
        command.Add(completions, NpgsqlDbType.Text, c => c.ErrorCode);
        command.Add(completions, NpgsqlDbType.Text, c => c.ErrorMessage);
        command.Add(completions, NpgsqlDbType.TimestampTz, c => c.StartedAt?.UtcDateTime);
        command.Add(completions, NpgsqlDbType.TimestampTz, c => c.FinishedAt?.UtcDateTime);
        command.Add(completions, NpgsqlDbType.Bigint, c => c.RowsProcessed);
        command.Add(completions, NpgsqlDbType.Integer, c => c.DataPoints);
        command.Add(completions, NpgsqlDbType.Bytea, c => c.Digest);
        command.Add(completions, NpgsqlDbType.Double, c => c.RetryIn?.TotalSeconds);
        command.Add(completions, NpgsqlDbType.Text, c => c.Document);
        command.Add(completions, NpgsqlDbType.Text, c => c.ZoneVersion);
        command.Add(completions, NpgsqlDbType.Boolean, c => c.Waits);
        command.Add(completions, NpgsqlDbType.TimestampTz, c => c.GivesUpAt?.UtcDateTime);
        command.Add(completions, NpgsqlDbType.Smallint, c => (short?)c.Slowness);
        command.Add(completions, NpgsqlDbType.TimestampTz, c => c.DeliverBy?.UtcDateTime);
        command.Add(completions, NpgsqlDbType.TimestampTz, c => c.GoodThrough?.UtcDateTime);
        var recorded = new RecordedCompletion?[completions.Count];
        await using var reader = await command.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
        {
            var ord = reader.GetInt32(0);
            recorded[ord] = new RecordedCompletion(completions[ord], reader.GetBoolean(1), reader.GetInt32(2) > 0, reader.GetInt16(3));
        }
        return recorded;
    }

    // Look-ups for reports that arrive on a node which did not grant the lease: pinned by the fence in CompleteSql.
    private const string LookUpSql =
        """
        SELECT x.ord, rt.binding_id, rt.occ_revision, rt.retry_count, rt.occ_business_date, rt.occ_scheduled_for, rt.occ_kind FROM unnest($1::int[], $2::bigint[], $3::uuid[]) AS x(ord, binding_id, attempt_id)
          JOIN kpi_job_runtime rt ON rt.binding_id = x.binding_id AND rt.attempt_id = x.attempt_id
        """;

    public async Task<IReadOnlyList<FoundAttempt>> LookUpAsync(IReadOnlyList<(long BindingId, Guid Attempt)> attempts, CancellationToken token)
    {
        var found = await LookUpAsync(LookUpSql, attempts, token);
        return found.Count == attempts.Count ? found : [.. found, .. await LookUpAsync(LookUpAsideSql, [.. attempts.ExceptBy(found.Select(f => f.Attempt), a => a.Attempt)], token)];
    }

    // Both places at one moment: one that came back into the row since the first look is there now.
    private const string LookUpAsideSql =
        """
        SELECT x.ord, rt.binding_id, rt.occ_revision, rt.retry_count, rt.occ_business_date, rt.occ_scheduled_for, rt.occ_kind FROM unnest($1::int[], $2::bigint[], $3::uuid[]) AS x(ord, binding_id, attempt_id)
         CROSS JOIN LATERAL (
           SELECT binding_id, occ_revision, retry_count, occ_business_date, occ_scheduled_for, occ_kind FROM kpi_aside a WHERE a.binding_id = x.binding_id AND a.attempt_id = x.attempt_id
           UNION ALL
           SELECT binding_id, occ_revision, retry_count, occ_business_date, occ_scheduled_for, occ_kind FROM kpi_job_runtime r WHERE r.binding_id = x.binding_id AND r.attempt_id = x.attempt_id) rt
        """;

    private async Task<List<FoundAttempt>> LookUpAsync(string sql, IReadOnlyList<(long BindingId, Guid Attempt)> attempts, CancellationToken token)
    {
        await using var command = databases.Hot.CreateCommand(sql);
        command.AddOrdinals(attempts.Count);
        command.Add(attempts, NpgsqlDbType.Bigint, a => a.BindingId);
        command.Add(attempts, NpgsqlDbType.Uuid, a => a.Attempt);
        var found = new List<FoundAttempt>(attempts.Count);
        await using var reader = await command.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
            if (!reader.IsDBNull(2))
                found.Add(new FoundAttempt(attempts[reader.GetInt32(0)].Attempt, new PlanKey(reader.GetInt64(1), reader.GetInt32(2)), reader.GetInt32(3), reader.GetFieldValue<DateOnly>(4), reader.GetFieldValue<DateTimeOffset>(5), (OccurrenceKind)reader.GetInt16(6)));
        return found;
    }

    private const string LastGoodSql =
        """
        SELECT x.binding_id FROM unnest($1::bigint[]) AS x(binding_id)
         WHERE EXISTS (SELECT FROM kpi_job_history h WHERE h.binding_id = x.binding_id AND h.final AND h.status IN ('success', 'partial'))
        """;

    /// <summary>Those of the bindings of which a value of an earlier run stands.</summary>
    public async Task<IReadOnlySet<long>> WithLastGoodAsync(long[] bindingIds, CancellationToken token)
    {
        await using var command = databases.Hot.CreateCommand(LastGoodSql);
        command.AddValue(bindingIds);
        var found = new HashSet<long>();
        await using var reader = await command.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
            found.Add(reader.GetInt64(0));
        return found;
    }

    private const string StandingSql =
        """
        SELECT x.ord, h.result_digest, rt.fence_epoch, rt.fence_n, rt.tenant_id, st.tenant_id IS NOT NULL
          FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::uuid[], $5::bigint[]) AS x(ord, binding_id, fence_n, attempt_id, reporter)
          JOIN kpi_cluster c ON c.timeline = kpi_timeline()
          LEFT JOIN kpi_job_runtime rt ON rt.binding_id = x.binding_id
          LEFT JOIN kpi_session_tenant st ON st.session_id = x.reporter AND st.tenant_id = rt.tenant_id
          LEFT JOIN LATERAL (SELECT result_digest FROM kpi_job_history h
            WHERE h.run_id = x.fence_n AND h.attempt_id = x.attempt_id AND h.status <> 'lost' LIMIT 1) h ON true
        """;

    /// <summary>Why reports were not recorded: the same had been before, or somebody else holds the occurrence.</summary>
    public async Task<IReadOnlyList<Standing>> StandingAsync(IReadOnlyList<Completion> reports, CancellationToken token)
    {
        await using var command = databases.Hot.CreateCommand(StandingSql);
        command.AddOrdinals(reports.Count);
        command.Add(reports, NpgsqlDbType.Bigint, c => c.BindingId);
        command.Add(reports, NpgsqlDbType.Bigint, c => c.FenceNumber);
        command.Add(reports, NpgsqlDbType.Uuid, c => c.Attempt);
        command.Add(reports, NpgsqlDbType.Bigint, c => c.Reporter.SessionId);
        var standings = new List<Standing>(reports.Count);
        await using var reader = await command.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
        {
            var mine = reader.GetBoolean(5);
            standings.Add(new Standing(reports[reader.GetInt32(0)], reader.IsDBNull(1) ? null : reader.GetFieldValue<byte[]>(1),
                mine ? reader.GetInt32(2) : 0, mine ? reader.GetInt64(3) : 0, mine ? reader.GetString(4) : null));
        }
        // Whose tail may be lost must not be told that it is stale: it would forget the only copy. An outage that an operator ends.
        if (standings.Count < reports.Count)
            throw new NpgsqlException("PostgreSQL writes on another timeline than the cluster's epoch: nothing is acknowledged until the epoch is bumped");
        return standings;
    }

    private const string KeepSql =
        """
        WITH kept AS (
          INSERT INTO kpi_evidence (run_id, binding_id, tenant_id, attempt_id, kind, document)
          SELECT x.run_id, x.binding_id, x.tenant_id, x.attempt_id, x.kind, x.document::jsonb
            FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::uuid[], $5::text[], $6::text[]) AS x(run_id, binding_id, tenant_id, attempt_id, kind, document)
           WHERE NOT EXISTS (SELECT FROM kpi_evidence e WHERE e.run_id = x.run_id AND e.attempt_id = x.attempt_id AND e.kind = x.kind)
          RETURNING evidence_id)
        INSERT INTO kpi_chain_pending (evidence_ids) SELECT array_agg(evidence_id) FROM kept HAVING count(*) > 0
        """;

    /// <summary>Keeps reports that changed nothing, once each.</summary>
    public async Task KeepAsync(IReadOnlyList<(Standing Standing, string Kind, string Document)> reports, CancellationToken token)
    {
        await using var command = databases.Scheduler.CreateCommand(KeepSql);
        command.Add(reports, NpgsqlDbType.Bigint, r => r.Standing.Report.FenceNumber);
        command.Add(reports, NpgsqlDbType.Bigint, r => r.Standing.Report.BindingId);
        command.Add(reports, NpgsqlDbType.Text, r => r.Standing.Tenant!);
        command.Add(reports, NpgsqlDbType.Uuid, r => r.Standing.Report.Attempt);
        command.Add(reports, NpgsqlDbType.Text, r => r.Kind);
        command.Add(reports, NpgsqlDbType.Text, r => r.Document);
        await command.ExecuteNonQueryAsync(token);
    }
}

/// <summary>What the database knows of an attempt that another node granted.</summary>
internal sealed record FoundAttempt(Guid Attempt, PlanKey Plan, int RetriesUsed, DateOnly BusinessDate, DateTimeOffset ScheduledFor, OccurrenceKind Kind);

/// <summary>A report, decided: the status that history gets, and whether another try follows.</summary>
internal sealed record Completion
{
    public required long BindingId { get; init; }
    public required Guid Attempt { get; init; }
    public required int FenceEpoch { get; init; }
    public required long FenceNumber { get; init; }
    public required SessionRef Reporter { get; init; }
    public required string Status { get; init; }
    public string? Reason { get; init; }
    public string? ErrorCategory { get; init; }
    public string? ErrorCode { get; init; }
    public string? ErrorMessage { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? FinishedAt { get; init; }
    public long RowsProcessed { get; init; }
    public int DataPoints { get; init; }
    /// <summary>SHA-256 of the report as the agent sent it.</summary>
    public required byte[] Digest { get; init; }
    /// <summary>Null: this was the last try.</summary>
    public TimeSpan? RetryIn { get; init; }
    /// <summary>A dependency was not ready: it waits again, burns no retry, and gives up when it was to before; at <see cref="GivesUpAt"/> where that is not known.</summary>
    public bool Waits { get; init; }
    public DateTimeOffset? GivesUpAt { get; init; }
    /// <summary>What the run said about itself, as JSON; null where it said nothing.</summary>
    public string? Document { get; init; }
    public string? ZoneVersion { get; init; }
    /// <summary>Beside the promised latency; null where none is promised.</summary>
    public SlaState? Slowness { get; init; }
    /// <summary>When the slot's result is late; null where no deadline waits for it.</summary>
    public DateTimeOffset? DeliverBy { get; init; }
    /// <summary>How far a good result reaches; null where it is none, or nothing is promised of it.</summary>
    public DateTimeOffset? GoodThrough { get; init; }
    /// <summary>Published where the completion is recorded, and only there.</summary>
    public IReadOnlyList<BuiltTable> Built { get; init; } = [];
}

internal sealed record RecordedCompletion(Completion Completion, bool Final, bool MoreQueued, short Lane)
{
    /// <summary>Its occurrence stood aside.</summary>
    public bool StoodAside { get; init; }
}

/// <summary>How a report stands that was not recorded.</summary>
internal sealed record Standing(Completion Report, byte[]? RecordedDigest, int FenceEpoch, long FenceNumber, string? Tenant);
