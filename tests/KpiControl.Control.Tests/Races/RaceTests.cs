using KpiControl.Testing;

namespace KpiControl.Control.Tests.Races;

/// <summary>The statements of the lease path, raced; and the same statements made wrong, to show that the race would tell.</summary>
public sealed class RaceTests
{
    private const int Bindings = 300;
    private static readonly TimeSpan Whole = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan UntilCaught = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Sixteen_that_race_break_nothing()
    {
        var found = await RaceAsync(Whole, "queue_one", (requests, scheduler, superuser, seconds) => Race.RunAsync(requests, scheduler, superuser, seconds, Environment.TickCount, beside: false));

        TestContext.Current.TestOutputHelper?.WriteLine(found[^1]);
        Assert.True(found.Length == 1, string.Join("\n", found));
    }

    [Fact]
    public async Task Twenty_that_race_over_jobs_whose_runs_stand_side_by_side_break_nothing()
    {
        var found = await RaceAsync(Whole, "allow", (requests, scheduler, superuser, seconds) => Race.RunAsync(requests, scheduler, superuser, seconds, Environment.TickCount, beside: true));

        TestContext.Current.TestOutputHelper?.WriteLine(found[^1]);
        Assert.True(found.Length == 1, string.Join("\n", found));
    }

    /// <summary>The name of what is missing, the text in the statement, and what stands in its place.</summary>
    public static TheoryData<string, string, string> Mutants => new()
    {
        { "a completion without its fence", "AND rt.occ_state IN ('L', 'R') AND rt.fence_n = x.fence_n AND rt.fence_epoch = x.fence_epoch AND rt.attempt_id = x.attempt_id", "AND rt.occ_state IN ('L', 'R')" },
        { "a completion whose fence may be older", "AND rt.fence_n = x.fence_n AND rt.fence_epoch = x.fence_epoch AND rt.attempt_id = x.attempt_id", "AND rt.fence_n >= x.fence_n AND rt.fence_epoch >= x.fence_epoch" },
        { "a take that does not ask for a pause", "rt.revision = x.revision\n    AND rt.lane + 0 > 0 AND rt.active AND (rt.paused_until IS NULL OR rt.paused_until <= now())\n    AND (x.take", "rt.revision = x.revision\n    AND (x.take" },
        { "a grant that does not ask for a pause", "rt.occ_retry_at <= now())\n    AND rt.lane + 0 > 0 AND rt.active AND (rt.paused_until IS NULL OR rt.paused_until <= now())", "rt.occ_retry_at <= now())" },
        { "a take that does not compare the cursor", "rt.binding_id = x.binding_id AND rt.next_run_at = x.seen AND rt.revision = x.revision", "rt.binding_id = x.binding_id AND rt.revision = x.revision" },
        { "a take of another revision", "rt.next_run_at = x.seen AND rt.revision = x.revision", "rt.next_run_at = x.seen" },
        { "a grant of another revision", "rt.fence_n = x.fence_seen AND rt.revision = x.revision", "rt.fence_n = x.fence_seen" },
        { "a grant that does not look at the state", "rt.binding_id = x.binding_id AND rt.occ_state = 'R' AND rt.fence_n = x.fence_seen", "rt.binding_id = x.binding_id AND rt.fence_n = x.fence_seen" },
        { "a grant whose fence may be older", "rt.occ_state = 'R' AND rt.fence_n = x.fence_seen AND rt.revision = x.revision\n    AND rt.occ_scheduled_for = x.slot AND rt.attempt_id IS NOT DISTINCT FROM x.lost_attempt", "rt.fence_n >= x.fence_seen AND rt.revision = x.revision" },
        { "a promotion over an open occurrence", "rt.binding_id = x.binding_id AND rt.occ_state IS NULL AND rt.lane > 0 AND rt.active", "rt.binding_id = x.binding_id AND rt.lane > 0 AND rt.active" },
        { "a take for a session that ended", "WHERE s.session_id = ANY ($19::bigint[]) AND s.ended_at IS NULL", "WHERE s.session_id = ANY ($19::bigint[])" },
    };

    /// <summary>Of what stands aside.</summary>
    public static TheoryData<string, string, string> MutantsBeside => new()
    {
        { "standing aside without holding the row", "ORDER BY rt.binding_id FOR NO KEY UPDATE OF rt\n), put AS (\n  INSERT INTO kpi_aside", "ORDER BY rt.binding_id\n), put AS (\n  INSERT INTO kpi_aside" },
        { "a turn in a row that is not held", "SELECT binding_id FROM kpi_job_runtime WHERE binding_id = ANY (@ids) ORDER BY binding_id FOR NO KEY UPDATE", "SELECT binding_id FROM kpi_job_runtime WHERE binding_id = ANY (@ids) ORDER BY binding_id" },
        { "a count that is not kept", "occ_retry_at = NULL, aside = rt.aside + 1", "occ_retry_at = NULL" },
    };

    [Theory]
    [MemberData(nameof(Mutants))]
    public Task A_statement_without_its_guard_is_caught(string missing, string text, string replacement) => CaughtAsync(missing, text, replacement, "queue_one");

    [Theory]
    [MemberData(nameof(MutantsBeside))]
    public Task Standing_aside_without_a_guard_is_caught(string missing, string text, string replacement) => CaughtAsync(missing, text, replacement, "allow");

    private static async Task CaughtAsync(string missing, string text, string replacement, string overlap)
    {
        var mutant = StatementMutant.Of(text, replacement);
        var found = await RaceAsync(UntilCaught, overlap, (requests, scheduler, superuser, seconds) =>
            (Task<string[]>)mutant.Method(typeof(Race), nameof(Race.RunAsync)).Invoke(null, [requests, scheduler, superuser, seconds, Environment.TickCount, overlap == "allow"])!);

        TestContext.Current.TestOutputHelper?.WriteLine(string.Join('\n', found));
        Assert.True(found.Length > 1, $"Not caught: {missing}. {found[^1]}");
        mutant.Unload();
    }

    private static async Task<string[]> RaceAsync(TimeSpan limit, string overlap, Func<string, string, string, double, Task<string[]>> run)
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync(TestContext.Current.CancellationToken);
        // So many slots are due that no taker ever comes to the present.
        await new BindingSeed(database).BindAsync(BindingSeed.Job("secondly", "* * * * * *", $"  overlap: {overlap}"), "date_trunc('second', now()) - interval '1 day'", Bindings, token: TestContext.Current.CancellationToken);
        return await run(database.Requests, database.Scheduler, database.Superuser, limit.TotalSeconds);
    }
}
