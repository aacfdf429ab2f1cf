namespace KpiControl.Control.Tests.Signals;

public sealed class DependencyWaitsTests : IAsyncLifetime
{
    private static readonly CancellationToken Token = CancellationToken.None;
    private WaitingBindings world = null!;

    public async ValueTask InitializeAsync() => world = await WaitingBindings.CreateAsync();

    public ValueTask DisposeAsync() => world.DisposeAsync();

    [Fact]
    public async Task An_occurrence_wakes_when_the_last_of_its_dependencies_is_there()
    {
        var id = await world.WaitingAsync("dso", dependencies: ["gdp:GDP_Sales", "signal:erp"]);
        await world.Waits.BeginAsync([id], Token);
        Assert.Equal(["gdp GDP_Sales with data through 2026-01-02T00:00:00Z", "signal erp for 2026-01-01"], await MissingAsync(id));

        await world.RefreshAsync("GDP_Sales", "2026-01-02T00:00:00Z");
        Assert.Equal(0, await world.Waits.PublishedAsync("gdp", "acme", "dev", null, "GDP_Sales", Token));
        Assert.Equal(["signal erp for 2026-01-01"], await MissingAsync(id));

        await world.SignalAsync("erp", "2026-01-01", "2026-01-02T03:00:00Z");
        Assert.Equal(1, await world.Waits.PublishedAsync("signal", "acme", "dev", null, "erp", Token));
        Assert.Equal("R", await world.StateAsync(id));
        Assert.Equal(0, await world.CountAsync("kpi_occurrence_wait", id));
        Assert.Equal(1, await world.CountAsync("kpi_parked", id));
        Assert.Equal(0, await world.Waits.PublishedAsync("signal", "acme", "dev", null, "erp", Token));
    }

    [Fact]
    public async Task What_became_ready_during_a_pause_is_listed_where_it_is_looked_for_after_it()
    {
        var id = await world.WaitingAsync("dso", dependencies: ["signal:erp"]);
        await world.Waits.BeginAsync([id], Token);
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET paused_until = 'infinity', lane = -abs(lane)");

        await world.SignalAsync("erp", "2026-01-01", "2026-01-02T03:00:00Z");
        Assert.Equal(1, await world.Waits.PublishedAsync("signal", "acme", "dev", null, "erp", Token));

        await world.ExecuteAsync("UPDATE kpi_job_runtime SET paused_until = NULL, lane = abs(lane)");
        Assert.Equal([id], await world.ReadyAsync(lane: 1));
    }

    [Fact]
    public async Task What_was_published_before_is_seen_at_once()
    {
        await world.RefreshAsync("GDP_Sales", "2026-01-02T00:00:00Z", region: "eu");
        var id = await world.WaitingAsync("dso", dependencies: ["gdp:GDP_Sales"]);
        await world.Waits.BeginAsync([id], Token);
        Assert.Equal("R", await world.StateAsync(id));
    }

    [Theory]
    [InlineData("2026-01-01T23:59:59Z", null)]
    [InlineData("2026-01-02T00:00:00Z", "us")]
    public async Task A_refresh_that_ends_too_early_or_is_another_regions_does_not_count(string through, string? region)
    {
        var id = await world.WaitingAsync("dso", dependencies: ["gdp:GDP_Sales"]);
        await world.Waits.BeginAsync([id], Token);
        await world.RefreshAsync("GDP_Sales", through, region);
        Assert.Equal(0, await world.Waits.PublishedAsync("gdp", "acme", "dev", region, "GDP_Sales", Token));
        Assert.Equal("W", await world.StateAsync(id));
    }

    [Fact]
    public async Task A_refresh_older_than_max_age_does_not_count()
    {
        var id = await world.WaitingAsync("dso", dependencies: ["gdp:GDP_Sales"]);
        await world.ExecuteAsync("UPDATE kpi_job_dependency SET max_age = '1 hour'");
        await world.RefreshAsync("GDP_Sales", "2026-01-02T00:00:00Z");
        await world.ExecuteAsync("UPDATE kpi_refresh SET published_at = now() - interval '2 hours'");
        await world.Waits.BeginAsync([id], Token);
        Assert.Equal("W", await world.StateAsync(id));
    }

    [Fact]
    public async Task An_undated_signal_serves_a_binding_once()
    {
        var id = await world.WaitingAsync("dso", dependencies: ["signal:erp"]);
        var other = await world.WaitingAsync("other", dependencies: ["signal:erp"]);
        await world.Waits.BeginAsync([id, other], Token);
        await world.SignalAsync("erp", null, "2026-01-02T05:00:00Z");
        Assert.Equal(2, await world.Waits.PublishedAsync("signal", "acme", "dev", null, "erp", Token));

        await world.OpenAsync(id, "2026-01-03T02:00:00Z");
        await world.Waits.BeginAsync([id], Token);
        Assert.Equal("W", await world.StateAsync(id));
        await world.SignalAsync("erp", null, "2026-01-03T05:00:00Z");
        Assert.Equal(1, await world.Waits.PublishedAsync("signal", "acme", "dev", null, "erp", Token));
    }

    [Fact]
    public async Task An_undated_signal_from_before_the_previous_slot_does_not_count()
    {
        await world.SignalAsync("erp", null, "2026-01-01T02:00:00Z");
        var id = await world.WaitingAsync("dso", dependencies: ["signal:erp"]);
        await world.Waits.BeginAsync([id], Token);
        Assert.Equal("W", await world.StateAsync(id));
    }

    [Fact]
    public async Task Every_active_binding_of_a_kpi_must_have_succeeded()
    {
        var first = await world.BindingAsync("up1", "eu", "acme", "CFO-UP");
        var second = await world.BindingAsync("up2", "eu", "acme", "CFO-UP");
        await world.BindingAsync("retired", "eu", "acme", "CFO-UP", active: false);
        await world.BindingAsync("elsewhere", "us", "acme", "CFO-UP");
        var id = await world.WaitingAsync("dso", dependencies: ["kpi:CFO-UP@1.0.0"]);
        await world.Waits.BeginAsync([id], Token);

        await world.SucceededAsync(first, "2026-01-02T02:00:00Z");
        await world.Waits.KpiSucceededAsync([first], Token);
        Assert.Equal("W", await world.StateAsync(id));
        await world.SucceededAsync(second, "2026-01-02T02:00:00Z", status: "failed");
        await world.Waits.KpiSucceededAsync([second], Token);
        Assert.Equal("W", await world.StateAsync(id));
        await world.SucceededAsync(second, "2026-01-02T09:00:00Z", kind: "manual", status: "partial");
        await world.Waits.KpiSucceededAsync([second], Token);
        Assert.Equal("R", await world.StateAsync(id));
    }

    [Fact]
    public async Task A_kpi_that_runs_all_day_counts_with_its_last_slot_of_the_date()
    {
        var hourly = await world.BindingAsync("up", "eu", "acme", "CFO-UP", cron: "0 * * * *");
        var id = await world.WaitingAsync("dso", dependencies: ["kpi:CFO-UP@1.0.0"]);
        await world.Waits.BeginAsync([id], Token);

        await world.SucceededAsync(hourly, "2026-01-02T22:00:00Z");
        await world.Waits.KpiSucceededAsync([hourly], Token);
        Assert.Equal("W", await world.StateAsync(id));
        await world.SucceededAsync(hourly, "2026-01-02T23:00:00Z");
        await world.Waits.KpiSucceededAsync([hourly], Token);
        Assert.Equal("R", await world.StateAsync(id));
    }

    [Fact]
    public async Task A_wait_that_a_crash_left_unbegun_is_found_by_the_sweep()
    {
        var id = await world.WaitingAsync("dso", dependencies: ["signal:erp"]);
        var free = await world.WaitingAsync("free");
        await world.SignalAsync("erp", "2026-01-01", "2026-01-02T03:00:00Z");
        await world.Waits.SweepAsync(Token);
        Assert.Equal("R", await world.StateAsync(id));
        Assert.Equal("R", await world.StateAsync(free));
    }

    [Fact]
    public async Task A_wait_row_of_an_earlier_occurrence_opens_no_later_one()
    {
        var id = await world.WaitingAsync("dso", dependencies: ["signal:erp"]);
        await world.Waits.BeginAsync([id], Token);
        await world.OpenAsync(id, "2026-01-03T02:00:00Z");
        await world.SignalAsync("erp", "2026-01-01", "2026-01-02T03:00:00Z");
        Assert.Equal(0, await world.Waits.PublishedAsync("signal", "acme", "dev", null, "erp", Token));
        Assert.Equal("W", await world.StateAsync(id));
    }

    [Fact]
    public async Task No_publish_is_missed_by_a_wait_that_begins_at_the_same_moment()
    {
        for (var round = 0; round < 20; round++)
        {
            var name = $"erp{round}";
            var id = await world.WaitingAsync($"dso{round}", dependencies: [$"signal:{name}"]);
            await world.SignalAsync($"warm{round}", "2026-01-01", "2026-01-02T03:00:00Z");
            await Task.WhenAll(
                world.Waits.BeginAsync([id], Token),
                PublishAsync(name));
            Assert.Equal("R", await world.StateAsync(id));
        }

        async Task PublishAsync(string name)
        {
            await world.SignalAsync(name, "2026-01-01", "2026-01-02T03:00:00Z");
            await world.Waits.PublishedAsync("signal", "acme", "dev", null, name, Token);
        }
    }

    private async Task<string[]> MissingAsync(long id) => [.. (await world.Waits.MissingAsync([id], Token))[id].Select(m => m.Missing())];
}
