using Dapper;
using KpiControl.Control.Database;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Database;

/// <summary>A query that never finds anything proves nothing: each is shown a row that breaks its promise.</summary>
public sealed class InvariantTests(InvariantTests.Broken broken) : IClassFixture<InvariantTests.Broken>
{
    /// <summary>One row wrong a promise, each on a binding of its own; the name says which query must find it.</summary>
    private static readonly (string Promise, string Sql)[] Violations =
    [
        ("an occurrence succeeds once", Ran("1, 'success'") + Ran("2, 'success'")),
        ("an attempt has its own fence", Ran("3, 'failed'", "timestamptz '2026-01-02'") + Ran("3, 'failed'", "timestamptz '2026-01-03'")),
        ("fences of an occurrence rise", Ran("5, 'failed'", recorded: "now() - interval '1 minute'") + Ran("4, 'failed'")),
        ("no recorded fence is above the open occurrence's", Ran("6, 'failed'")),
        ("a result is recorded once", Ran("7, 'failed'", attempt: "md5({0}::text)::uuid") + Ran("8, 'failed'", attempt: "md5({0}::text)::uuid")),
        ("a recorded result has its history", "UPDATE kpi_job_runtime SET last_run_at = now() WHERE binding_id = {0};"),
        ("a slot has one place", Ran("9, 'failed'", final: true) + Skipped("timestamptz '2025-12-31'", "timestamptz '2026-01-02'", 3)),
        ("a slot is behind the cursor", Skipped("timestamptz '2027-01-01'", null, 1) + "UPDATE kpi_job_runtime SET next_run_at = '2027-01-01' WHERE binding_id = {0};"),
        ("what queues is counted", "UPDATE kpi_job_runtime SET queued = 2 WHERE binding_id = {0};"),
        ("what stands aside is counted", "UPDATE kpi_job_runtime SET aside = 1 WHERE binding_id = {0};"),
        ("a lease is under a session that can still end", Leased("reclaimed")),
        ("only of a job that says so several are open at once", "INSERT INTO kpi_aside (binding_id, tenant_id, occ_state, occ_scheduled_for, occ_kind, occ_business_date, occ_cancel, retry_count, fence_n, fence_epoch) VALUES ({0}, 'acme', 'R', '2026-01-01', 0, '2026-01-01', false, 1, 0, 0);"),
        ("a pause in force is kept as an interval", "UPDATE kpi_job_runtime SET paused_until = 'infinity' WHERE binding_id = {0};"),
        ("a pause ends once, in its time, and is audited once",
            "WITH p AS (INSERT INTO kpi_pause (binding_id, tenant_id, paused_at, paused_until, paused_by) VALUES ({0}, 'acme', '2026-01-01', '2026-01-02', 'x') RETURNING pause_id) INSERT INTO kpi_pause_end (pause_id, tenant_id, ended_at, reason, ended_by) SELECT pause_id, 'acme', '2026-01-02', 'expired', 'system' FROM p;"),
        ("nothing starts under a pause",
            "WITH p AS (INSERT INTO kpi_pause (binding_id, tenant_id, paused_at, paused_until, paused_by) VALUES ({0}, 'acme', '2024-01-01', '2025-01-02', 'x') RETURNING pause_id) INSERT INTO kpi_pause_end (pause_id, tenant_id, ended_at, ended_by) SELECT pause_id, 'acme', '2025-01-02', 'x' FROM p;"
            + Ran("10, 'failed'", attempt: "'0193ffff-0000-7000-8000-000000000001'")),
        ("nobody holds another tenant's or region's work", Leased("elsewhere")),
        ("rows carry their binding's tenant", "UPDATE kpi_job_runtime SET tenant_id = 'globex' WHERE binding_id = {0};"),
        ("a clock is looked at within a minute of its instant",
            "UPDATE kpi_node SET started_at = now() - interval '1 hour'; INSERT INTO kpi_sla_clock (binding_id, clock, tenant_id, due_at) VALUES ({0}, 'freshness', 'acme', now() - interval '2 minutes');"),
        ("a clock that complains has its open episode, and the other way round",
            "INSERT INTO kpi_sla_episode (binding_id, clock, tenant_id, opened_at) VALUES ({0}, 'freshness', 'acme', now());"),
        ("a run has its evidence", Ran("11, 'failed'")),
        ("what happened is append-only", "ALTER TABLE kpi_pause_end DISABLE TRIGGER append_only;"),
        ("nobody may change what happened", "GRANT DELETE ON kpi_audit TO kpi_scheduler;"),
    ];

    public static TheoryData<string> Promises => [.. Invariants.All.Select(i => i.Name)];

    [Theory]
    [MemberData(nameof(Promises))]
    public void A_row_that_breaks_it_is_found(string promise)
    {
        var binding = Array.FindIndex(Violations, v => v.Promise == promise) + 1;
        Assert.True(binding > 0, "No violation is arranged for it.");
        var about = promise switch { "an attempt has its own fence" => "fence 3", "what happened is append-only" => "kpi_pause_end", "nobody may change what happened" => "kpi_audit", _ => $"binding {binding}" };

        Assert.Contains(broken.Rows, row => row.Contains($"({promise})", StringComparison.Ordinal) && row.Contains(about, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Nothing_is_found_where_nothing_is_wrong()
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync(TestContext.Current.CancellationToken);

        Assert.Empty(await InvariantCheck.BrokenAsync(database, TestContext.Current.CancellationToken));
    }

    private static string Ran(string runAndStatus, string slot = "timestamptz '2026-01-01'", string recorded = "clock_timestamp()", string attempt = "gen_random_uuid()", bool final = false) =>
        $"INSERT INTO kpi_job_history (run_id, status, recorded_at, binding_id, tenant_id, scheduled_for, revision, business_date, lane, final, attempt_id, trigger_kind, fence_epoch) SELECT {runAndStatus}, {recorded}, {{0}}, 'acme', {slot}, 1, '2026-01-01', 1, {final}, {attempt}, 'schedule', 1;\n";

    private static string Skipped(string first, string? last, int count) =>
        $"INSERT INTO kpi_job_history (run_id, status, reason, binding_id, tenant_id, scheduled_for, slot_last, slot_count, revision, business_date, lane, final, trigger_kind) SELECT nextval('kpi_fence') + 1000, 'skipped', 'missed_window', {{0}}, 'acme', {first}, {last ?? "NULL"}, {count}, 1, '2026-01-01', 1, true, 'schedule';\n";

    private static string Leased(string agent) =>
        $"UPDATE kpi_job_runtime SET occ_state = 'L', occ_scheduled_for = '2026-01-01', occ_kind = 0, occ_business_date = '2026-01-01', session_id = (SELECT session_id FROM kpi_session WHERE agent = '{agent}'), generation = 1, lease_deadline = now(), attempt_id = gen_random_uuid(), fence_n = 500, fence_epoch = 1 WHERE binding_id = {{0}};\n";

    public sealed class Broken : IAsyncLifetime
    {
        public IReadOnlyList<string> Rows { get; private set; } = [];

        public async ValueTask InitializeAsync()
        {
            await using var database = await PostgresFixture.CreateDatabaseAsync();
            await new BindingSeed(database).BindAsync(BindingSeed.Job("job"), "timestamptz '2026-06-01'", count: Violations.Length);
            await using var connection = await database.OpenAsync();
            await connection.ExecuteAsync(
                """
                INSERT INTO kpi_node (name, generation, expires_at) VALUES ('n', 1, 'infinity');
                INSERT INTO kpi_session (agent, instance, region, node_id, node_generation, generation, build, slots, ended_at, end_reason, reclaimed_at)
                VALUES ('reclaimed', gen_random_uuid(), 'eu', 1, 1, 1, 'test', 1, now(), 'silent', now()), ('elsewhere', gen_random_uuid(), 'us', 1, 1, 1, 'test', 1, NULL, NULL, NULL);
                INSERT INTO kpi_session_tenant SELECT session_id, 'acme' FROM kpi_session;
                """);
            for (var i = 0; i < Violations.Length; i++)
                await connection.ExecuteAsync(string.Format(System.Globalization.CultureInfo.InvariantCulture, Violations[i].Sql, i + 1));
            Rows = await InvariantCheck.BrokenAsync(database);
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
