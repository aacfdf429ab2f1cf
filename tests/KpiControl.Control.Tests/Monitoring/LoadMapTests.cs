using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Monitoring;

/// <summary>The load map of real bindings, as a caller asks for it.</summary>
public sealed class LoadMapTests : IAsyncLifetime
{
    private const string Far = "now() + interval '20 years'";

    private static readonly DateTimeOffset Midnight = new(2030, 1, 7, 0, 0, 0, TimeSpan.Zero);

    private readonly ControlFixture control = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private BindingSeed Seed => new(control.Database);

    public ValueTask InitializeAsync() => control.InitializeAsync();

    public ValueTask DisposeAsync() => control.DisposeAsync();

    [Fact]
    public async Task A_day_is_counted_by_place_with_its_peak_its_jobs_and_the_advice_to_spread_them()
    {
        await Seed.BindAsync(BindingSeed.Job("nightly", "0 2 * * *"), Far, 40, token: Token);
        await Seed.BindAsync(BindingSeed.Job("hourly", "30 * * * *"), Far, region: "us", token: Token);
        var map = await LoadAsync(new());

        Assert.Equal((Midnight, Midnight.AddDays(1)), (map.From.ToDateTimeOffset(), map.Until.ToDateTimeOffset()));
        Assert.Equal([("eu", 40L, 40), ("us", 24L, 1)], map.Places.Select(place => (place.Region, place.Runs, place.Jobs)));
        var place = map.Places[0];
        Assert.Equal((1440, 40, 40), (place.Minutes.Count, place.Minutes[120], place.Minutes.Sum()));
        var peak = Assert.Single(place.Peaks);
        Assert.Equal((Midnight.AddHours(2), 40, 40, 20), (peak.At.ToDateTimeOffset(), peak.Runs, peak.Jobs, peak.JobIds.Count));
        var advice = Assert.Single(place.Advice);
        Assert.Equal((40, 40), (advice.Jobs, advice.JobIds.Count));
        Assert.InRange(advice.RunsAfter, 1, 9);
        Assert.Contains($"With spread: {advice.Spread} in the schedules of 40 of their jobs", advice.Text, StringComparison.Ordinal);
        Assert.Empty(map.Places[1].Peaks);
        Assert.Equal(24, (await LoadAsync(new() { Region = "us", Hours = 24 })).Places.Single().Runs);
    }

    [Fact]
    public async Task The_advice_followed_for_real_gives_what_it_said()
    {
        await Seed.BindAsync(BindingSeed.Job("nightly", "0 2 * * *"), Far, 40, token: Token);
        var advice = (await LoadAsync(new())).Places[0].Advice[0];
        await control.RunAsync("""
            UPDATE kpi_job_def SET canonical_json = jsonb_set(canonical_json::jsonb, '{schedule,spread}', to_jsonb(@Spread::text))::text
            """, new { advice.Spread });

        var followed = (await LoadAsync(new())).Places[0];
        Assert.Equal((advice.RunsAfter, 40L), (followed.Minutes.Max(), followed.Runs));
        Assert.Empty(followed.Advice);
    }

    [Fact]
    public async Task What_is_paused_or_inactive_is_not_due_and_a_calendars_days_off_are_none()
    {
        var paused = await Seed.BindAsync(BindingSeed.Job("paused", "0 * * * *"), Far, token: Token);
        var inactive = await Seed.BindAsync(BindingSeed.Job("inactive", "0 * * * *"), Far, token: Token);
        var off = await Seed.BindAsync(BindingSeed.Job("off", "0 * * * *", "  calendar: days"), Far, token: Token);
        await control.Host.Catalog().PutCalendarAsync(new PutCalendarRequest { Tenant = "acme", Content = "calendar: days\nholidays: [{ date: 2030-01-07, name: a day }]" }, cancellationToken: Token);
        await control.Host.Jobs().PauseJobAsync(new PauseJobRequest { BindingId = paused }, cancellationToken: Token);
        await control.Host.Jobs().UpdateJobAsync(new UpdateJobRequest { BindingId = inactive, ActiveFlag = false }, cancellationToken: Token);
        await control.RunAsync("UPDATE kpi_job_binding SET calendar = 'days', calendar_version = 1 WHERE binding_id = @off", new { off });

        var place = (await LoadAsync(new() { Hours = 48 })).Places.Single();
        Assert.Equal((2, 1, 24L), (place.Jobs, place.PausedJobs, place.Runs));
        Assert.Equal((0, 24), (place.Minutes.Take(1440).Sum(), place.Minutes.Skip(1440).Sum()));
    }

    [Fact]
    public async Task Ten_thousand_jobs_are_answered_within_a_calls_bound_over_rest_too()
    {
        await Seed.BindAsync(BindingSeed.Job("daily", "0 2 * * *"), Far, 9_000, token: Token);
        await Seed.BindAsync(BindingSeed.Job("often", "*/5 * * * *", "  spread: 4m"), Far, 1_000, token: Token);
        var place = (await LoadAsync(new())).Places.Single();
        Assert.Equal((10_000, 9_000 + (288_000L)), (place.Jobs, place.Runs));
        Assert.NotEmpty(place.Advice);

        using var http = control.Host.Rest();
        var json = await http.GetStringAsync("/api/kpi-load?tenant=acme&environment=dev&hours=1", Token);
        Assert.Contains("\"peak_runs\":", json, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Hours_beyond_a_week_and_an_unknown_environment_are_refused_by_name()
    {
        foreach (var (request, field) in new[] { (new GetLoadMapRequest { Hours = 169 }, "hours"), (new GetLoadMapRequest { Environment = "qa" }, "environment") })
        {
            var refused = await Assert.ThrowsAsync<RpcException>(() => LoadAsync(request));
            Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
            Assert.StartsWith($"{field}: ", refused.Status.Detail, StringComparison.Ordinal);
        }
    }

    private Task<LoadMap> LoadAsync(GetLoadMapRequest request)
    {
        request.From ??= Midnight.ToTimestamp();
        return new MonitorService.MonitorServiceClient(control.Host.Channel()).GetLoadMapAsync(request, cancellationToken: Token).ResponseAsync;
    }
}
