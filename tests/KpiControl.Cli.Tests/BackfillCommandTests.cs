using KpiControl.Cli.Tests.Support;
using KpiControl.Cli.Zones;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Tests;

public sealed class BackfillCommandTests(ScriptedControlPlane server) : IClassFixture<ScriptedControlPlane>
{
    [Fact]
    public async Task A_dry_run_says_how_many_and_which_first()
    {
        server.Script.When<BackfillJobRequest>(_ => new Backfill
        {
            JobId = "dso_daily", Total = 31, Parallelism = 4, Slots = { ["pending"] = 30, ["succeeded_before"] = 1 },
            FirstSlots = { new FireTime { At = new() { Seconds = 1767229200 }, BusinessDate = "2025-12-31" } },
        });
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("backfill", "dso_daily", "--from", "2026-01-01", "--to", "2026-01-31", "--order", "newest", "--parallelism", "4", "--dry-run");

        var asked = server.Script.Last<BackfillJobRequest>();
        Assert.Equal(("dso_daily", "2026-01-01", "2026-01-31", "newest", 4, true), (asked.JobId, asked.FirstDate, asked.LastDate, asked.Order, asked.Parallelism, asked.ValidateOnly));
        Assert.Contains("30 of 31 slots would run (dry run), 4 at once; 1 succeeded before", result.Out, StringComparison.Ordinal);
        Assert.Contains("2025-12-31", result.Out, StringComparison.Ordinal);
        Assert.Contains("and 29 more", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("success", 0)]
    [InlineData("failed", 1)]
    public async Task Waiting_shows_how_far_it_is_and_ends_as_the_backfill_did(string ended, int exit)
    {
        var looks = 0;
        server.Script.When<GetBackfillRequest>(_ => looks++ == 0
            ? new Backfill { BackfillId = 4, State = "running", Total = 2, Slots = { ["pending"] = 1, [ended] = 1 } }
            : new Backfill { BackfillId = 4, State = "done", Total = 2, Slots = { [ended] = 2 } });
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("backfill", "status", "4", "--wait");

        Assert.Equal(exit, result.Exit);
        Assert.Contains("backfill 4 [###############...............] 1/2", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_window_it_says_what_is_missing()
    {
        using var kpictl = new CommandLine(server);
        var result = await kpictl.Run("backfill", "dso_daily");
        Assert.NotEqual(0, result.Exit);
        Assert.Contains("--from", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_replay_names_the_definition()
    {
        server.Script.When<GetRunRequest>(_ => new RunDetail { Run = new Run { RunId = 12, JobId = "dso_daily" } });
        server.Script.When<ReplayRunRequest>(_ => new ReplayRunResponse { Revision = 2, Occurrence = new Occurrence { SlotKey = "replay:2026-01-02T02:00:00Z", BusinessDate = "2026-01-01" } });
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("replay", "run/12", "--definition", "current");

        Assert.Equal((12, "current"), (server.Script.Last<ReplayRunRequest>().RunId, server.Script.Last<ReplayRunRequest>().Definition));
        Assert.Contains("is replayed for 2026-01-01 by revision 2", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_zone_database_in_use_moves_nothing_and_no_database_is_refused()
    {
        server.Script.When<ListJobsRequest>(_ => new ListJobsResponse { Jobs = { new Job { BindingId = 1, Tenant = "acme", Environment = "dev", JobId = "a", ScheduleCron = "30 2 * * *", Timezone = "UTC" } } });
        using var kpictl = new CommandLine(server);

        var none = await kpictl.Run("doctor", "zones", kpictl.Home);
        var file = await kpictl.Run("doctor", "zones", kpictl.File("not.nzd", "nothing"));

        Assert.All([none, file], refused => Assert.NotEqual(0, refused.Exit));
        Assert.Contains("is no zone database", none.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_zone_that_gives_up_its_summer_time_moves_the_slots_of_that_summer()
    {
        var berlin = TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin");
        var (from, until) = (new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero), new DateTimeOffset(2028, 1, 1, 0, 0, 0, TimeSpan.Zero));
        TimeSpan Winter(DateTime _) => TimeSpan.FromHours(1);

        var stretches = ZoneMoves.Differences(berlin.GetUtcOffset, Winter, from, until);
        var both = ZoneMoves.Schedules("30 12 * * *", "Europe/Berlin", "1", null, Winter, "other")!.Value;
        var move = ZoneMoves.Of(both.InUse, both.Other, stretches);

        Assert.Single(stretches);
        Assert.Equal((217, 217), (move.Gone.Count, move.Come.Count));
        Assert.Equal((new DateTimeOffset(2027, 3, 28, 10, 30, 0, TimeSpan.Zero), new DateTimeOffset(2027, 3, 28, 11, 30, 0, TimeSpan.Zero)), (move.Gone[0], move.Come[0]));
        Assert.Empty(ZoneMoves.Differences(berlin.GetUtcOffset, berlin.GetUtcOffset, from, until));
    }
}
