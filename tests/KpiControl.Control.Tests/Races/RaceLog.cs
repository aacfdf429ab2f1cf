using Dapper;
using Npgsql;

namespace KpiControl.Control.Tests.Races;

/// <summary>What each runtime row went through, written by a trigger under the row's lock: its numbers are the row's true order.</summary>
internal sealed class RaceLog(string superuser, bool beside)
{
    private const string Arrange =
        """
        CREATE TABLE race_log (n bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL DEFAULT now(), binding_id bigint, was "char", now_is "char", was_attempt uuid, attempt uuid,
          fence bigint, slot timestamptz, was_cursor timestamptz, cursor timestamptz, revision int, granted_under int, may_start boolean, session_id bigint, was_aside int, aside int);
        CREATE INDEX ON race_log (binding_id, n);
        CREATE TABLE race_end (session_id bigint PRIMARY KEY, seen_at timestamptz NOT NULL DEFAULT clock_timestamp());
        CREATE FUNCTION race_log() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $log$
        BEGIN
          INSERT INTO race_log (binding_id, was, now_is, was_attempt, attempt, fence, slot, was_cursor, cursor, revision, granted_under, may_start, session_id, was_aside, aside)
          VALUES (NEW.binding_id, OLD.occ_state, NEW.occ_state, OLD.attempt_id, NEW.attempt_id, NEW.fence_n, NEW.occ_scheduled_for, OLD.next_run_at, NEW.next_run_at, NEW.revision, NEW.occ_revision,
                  NEW.active AND (NEW.paused_until IS NULL OR NEW.paused_until <= now()), NEW.session_id, OLD.aside, NEW.aside);
          RETURN NULL;
        END
        $log$;
        CREATE TRIGGER race_log AFTER UPDATE ON kpi_job_runtime FOR EACH ROW EXECUTE FUNCTION race_log();
        """;

    private static readonly (string What, string Sql)[] Checks =
    [
        ("a grant under a pause", "SELECT format('binding %s, entry %s', binding_id, n) FROM race_log WHERE now_is = 'L' AND was IS DISTINCT FROM 'L' AND NOT may_start"),
        ("a second holder", "SELECT format('binding %s, entry %s', binding_id, n) FROM race_log WHERE was = 'L' AND now_is = 'L' AND attempt <> was_attempt"),
        ("a fence that does not rise", """
            SELECT format('binding %s, entry %s', binding_id, n) FROM (SELECT *, max(fence) OVER (PARTITION BY binding_id ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS highest
              FROM race_log WHERE now_is = 'L' AND was IS DISTINCT FROM 'L') g WHERE fence <= highest
            """),
        ("a grant of another revision than the one in force", "SELECT format('binding %s, entry %s', binding_id, n) FROM race_log WHERE now_is = 'L' AND was IS DISTINCT FROM 'L' AND granted_under <> revision"),
        ("a cursor that moved back", "SELECT format('binding %s, entry %s', binding_id, n) FROM race_log WHERE cursor < was_cursor"),
        ("an open occurrence overwritten", "SELECT format('binding %s, entry %s', binding_id, n) FROM race_log l WHERE was IS NOT NULL AND now_is IS NOT NULL AND slot <> (SELECT slot FROM race_log b WHERE b.binding_id = l.binding_id AND b.n < l.n ORDER BY b.n DESC LIMIT 1)"),
        ("a result of an attempt that held nothing", """
            SELECT format('binding %s, attempt %s', h.binding_id, h.attempt_id) FROM kpi_job_history h
             WHERE h.attempt_id IS NOT NULL AND h.status <> 'lost' AND NOT EXISTS (
               SELECT FROM race_log l WHERE l.binding_id = h.binding_id AND l.was_attempt = h.attempt_id AND l.attempt IS NULL)
            """),
        // Not by ended_at: that is the time at which the end was asked for, and it waits for grants that hold the session.
        ("a lease of a session that had ended", "SELECT format('binding %s, entry %s', l.binding_id, l.n) FROM race_log l JOIN race_end e USING (session_id) WHERE l.now_is = 'L' AND l.was IS DISTINCT FROM 'L' AND l.at > e.seen_at"),
        // Every second is a slot: the ledger is the count of seconds that the cursor passed.
        ("a ledger that is not the schedule", """
            SELECT format('binding %s: %s slots passed, %s have a place', rt.binding_id, p.passed, coalesce(h.placed, 0) + coalesce(o.placed, 0))
              FROM kpi_job_runtime rt JOIN kpi_binding_revision r ON r.binding_id = rt.binding_id AND r.revision = 1
              CROSS JOIN LATERAL (SELECT ceil(extract(epoch FROM rt.next_run_at - r.first_slot_after))::bigint - 1 AS passed) p
              LEFT JOIN (SELECT binding_id, sum(slot_count) AS placed FROM kpi_job_history WHERE final AND trigger_kind = 'schedule' GROUP BY 1) h ON h.binding_id = rt.binding_id
              LEFT JOIN (SELECT binding_id, count(*) AS placed FROM kpi_open_occurrence WHERE kind = 0 GROUP BY 1) o ON o.binding_id = rt.binding_id
             WHERE p.passed <> coalesce(h.placed, 0) + coalesce(o.placed, 0)
            """),
    ];

    // Where occurrences stand aside and have their turns, one is in the row in the other's place until the transaction ends: an attempt was granted by the first entry that has it.
    private const string Granted = "(SELECT DISTINCT ON (attempt) * FROM race_log WHERE now_is = 'L' ORDER BY attempt, n) l";

    private static readonly (string What, string Sql)[] ChecksBeside =
    [
        ("a grant under a pause", $"SELECT format('binding %s, entry %s', binding_id, n) FROM {Granted} WHERE NOT may_start"),
        ("a grant of another revision than the one in force", $"SELECT format('binding %s, entry %s', binding_id, n) FROM {Granted} WHERE granted_under <> revision"),
        ("a lease of a session that had ended", $"SELECT format('binding %s, entry %s', l.binding_id, l.n) FROM {Granted} JOIN race_end e USING (session_id) WHERE l.at > e.seen_at"),
        .. Checks.Where(check => check.What is "a cursor that moved back" or "a result of an attempt that held nothing" or "a ledger that is not the schedule"),
    ];

    public Task BeginAsync() => WithAsync(connection => connection.ExecuteAsync(Arrange));

    /// <summary>The session's end is committed: nothing that begins from here on may lease to it.</summary>
    public Task EndedAsync(long session) => WithAsync(connection => connection.ExecuteAsync("INSERT INTO race_end (session_id) VALUES (@session) ON CONFLICT DO NOTHING", new { session }));

    /// <summary>What went wrong so far: by the log, and by the product's own list of invariants.</summary>
    public Task<List<string>> FindingsAsync(Guid[] acknowledged) => WithAsync(async connection =>
    {
        // Nobody has counted these tables yet: without it one of the questions may take longer than the race.
        await connection.ExecuteAsync("ANALYZE race_log, kpi_job_history, kpi_job_runtime, kpi_session, kpi_pause, kpi_pause_end, kpi_audit, kpi_evidence, kpi_occurrence, kpi_aside, kpi_binding_revision");
        var findings = new List<string>();
        foreach (var (what, sql) in beside ? ChecksBeside : Checks)
            if ((await connection.QueryAsync<string>(sql)).FirstOrDefault() is { } row)
                findings.Add($"{what}: {row}");
        findings.AddRange((await Control.Database.Invariants.BrokenAsync(connection, CancellationToken.None)).Take(3));
        var missing = await connection.ExecuteScalarAsync<int>(
            "SELECT count(*)::int FROM unnest(@acknowledged) AS a(id) WHERE (SELECT count(*) FROM kpi_job_history h WHERE h.attempt_id = a.id AND h.status <> 'lost') <> 1", new { acknowledged });
        if (missing > 0)
            findings.Add($"{missing} acknowledged results are not in history once");
        return findings;
    });

    public Task<string> TallyAsync() => WithAsync(async connection => (await connection.QuerySingleAsync<string>(
        """
        SELECT format('%s grants, %s recorded runs, %s lost, %s overlaps, %s cancelled, %s pauses, %s revisions, %s sessions ended, %s stood aside',
          (SELECT count(DISTINCT attempt) FROM race_log WHERE now_is = 'L'), (SELECT count(*) FROM kpi_job_history WHERE attempt_id IS NOT NULL AND status <> 'lost'),
          (SELECT count(*) FROM kpi_job_history WHERE status = 'lost'), (SELECT count(*) FROM kpi_job_history WHERE reason = 'overlap'), (SELECT count(*) FROM kpi_job_history WHERE status = 'cancelled'),
          (SELECT count(*) FROM kpi_pause), (SELECT count(*) FROM kpi_binding_revision), (SELECT count(*) FROM kpi_session WHERE ended_at IS NOT NULL),
          (SELECT count(*) FROM race_log WHERE was = 'L' AND now_is IS NULL AND aside > was_aside))
        """))!);

    private async Task<T> WithAsync<T>(Func<NpgsqlConnection, Task<T>> run)
    {
        // Sixteen others keep the machine busy: how long an answer takes is no finding.
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(superuser) { CommandTimeout = 300 }.ConnectionString);
        await connection.OpenAsync();
        return await run(connection);
    }
}
