using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Tests.Support;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Time.Testing;

namespace KpiControl.Cli.Tests;

public sealed class MonitorCommandTests(ScriptedControlPlane server) : IClassFixture<ScriptedControlPlane>
{
    private static readonly DateTimeOffset Now = DateTimeOffset.Parse("2026-12-01T00:00:00Z", System.Globalization.CultureInfo.InvariantCulture);

    private static LoadMap Map()
    {
        var place = new LoadPlace { Tenant = "acme", Environment = "prod", Region = "eu", Jobs = 80, PausedJobs = 2, Runs = 120, MeanRuns = 1, PeakRuns = 10 };
        place.Minutes.AddRange(Enumerable.Range(0, 120).Select(minute => minute == 75 ? 80 : minute < 40 ? 1 : 0));
        place.Peaks.Add(new LoadPeak { At = Timestamp.FromDateTimeOffset(Now.AddMinutes(75)), Runs = 80, Jobs = 80, JobIds = { Enumerable.Range(1, 20).Select(n => $"job_{n}") } });
        place.Advice.Add(new LoadAdvice { At = Timestamp.FromDateTimeOffset(Now.AddMinutes(75)), Runs = 80, Jobs = 80, Spread = "10m", Text = "80 runs are due. With spread: 10m …", JobIds = { Enumerable.Range(1, 80).Select(n => $"job_{n}") } });
        return new LoadMap { From = Timestamp.FromDateTimeOffset(Now), Until = Timestamp.FromDateTimeOffset(Now.AddHours(2)), Places = { place } };
    }

    [Fact]
    public async Task A_load_map_is_a_row_an_hour_with_peaks_and_advice_beside_it()
    {
        server.Script.When<GetLoadMapRequest>(_ => Map());
        using var kpictl = new CommandLine(server) { Clock = new FakeTimeProvider(Now) };

        var told = await kpictl.Run("load", "--env", "prod", "--region", "eu", "--hours", "2");
        Assert.Equal(("prod", "eu", 2), (server.Script.Last<GetLoadMapRequest>().Environment, server.Script.Last<GetLoadMapRequest>().Region, server.Script.Last<GetLoadMapRequest>().Hours));
        Assert.Matches("12-01 00:00Z +40 +1 +12-01 00:00Z +█\n", told.Out);
        Assert.Matches("12-01 01:00Z +80 +80 +12-01 01:15Z +█{40}\n", told.Out);
        Assert.Contains("acme/prod in eu: 120 runs of 80 jobs until 2026-12-01 02:00:00Z, 1 a minute (2 of the jobs are paused throughout)", told.Error, StringComparison.Ordinal);
        Assert.Contains("peak at 2026-12-01 01:15:00Z: 80 runs of 80 jobs, job_1, job_2", told.Error, StringComparison.Ordinal);
        Assert.Contains("job_10 and 70 more (-o json)", told.Error, StringComparison.Ordinal);
        Assert.Contains("advice: 80 runs are due. With spread: 10m", told.Error, StringComparison.Ordinal);
        Assert.Contains("\"minutes\": [", (await kpictl.Run("load", "-o", "json")).Out, StringComparison.Ordinal);
        Assert.Equal(2, (await kpictl.Run("load", "--hours", "169")).Exit);
    }

    [Fact]
    public async Task What_jobs_do_now_and_what_ended_are_two_tables_and_errors_a_third()
    {
        server.Script.When<GetOverviewRequest>(_ => new Overview
        {
            At = Timestamp.FromDateTimeOffset(Now),
            Places =
            {
                new OverviewPlace
                {
                    Tenant = "acme", Environment = "prod", Region = "eu", Jobs = 80, Leased = 3, Ready = 2, Due = 1, OldestDueAt = Timestamp.FromDateTimeOffset(Now.AddMinutes(-4)), SlaBreach = 1,
                    Succeeded = 96, Failed = 4, PercentSucceeded = 96, StartDelayP95 = Duration.FromTimeSpan(TimeSpan.FromSeconds(42)),
                    Errors = { new OverviewError { ErrorCategory = "execution", ErrorCode = "SQL_ERROR", Attempts = 4, Jobs = 1, LastAt = Timestamp.FromDateTimeOffset(Now.AddMinutes(-1)) } },
                },
            },
        });
        using var kpictl = new CommandLine(server) { Clock = new FakeTimeProvider(Now) };

        var told = await kpictl.Run("top", "--hours", "6");
        Assert.Equal(6, server.Script.Last<GetOverviewRequest>().Hours);
        Assert.Matches("acme/prod in eu +80 +3 +2 +1 +4m ago +0 +0 +0 +0 +1", told.Out);
        Assert.Matches("ENDED IN 6H", told.Out);
        Assert.Matches("acme/prod in eu +96 +4 +0 +0 +0 +0 +96.00 +- +42s +-", told.Out);
        Assert.Matches("acme/prod in eu +execution +SQL_ERROR +4 +1 +1m ago", told.Out);
    }
}
