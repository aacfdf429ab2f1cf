using KpiControl.Control.Tests.Leases;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Sla;

/// <summary>Freshness that counts on business days alone.</summary>
public sealed class BusinessHoursTests
{
    private const string EveryDay = "calendar: days\nweekend: []";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static DateOnly Today => DateOnly.FromDateTime(TimeProvider.System.GetUtcNow().UtcDateTime);

    [Fact]
    public async Task A_clock_passes_over_days_that_do_not_count_and_keeps_what_it_counts_by()
    {
        await using var world = await SlaWorld.StartAsync();
        // Nothing counts for the next nine days, today among them.
        await PutAsync(world, $"{EveryDay}\nholidays: [{string.Join(", ", Enumerable.Range(-1, 11).Select(day => $"{{ date: {Today.AddDays(day):yyyy-MM-dd}, name: H }}"))}]");
        var binding = await PromisedAsync(world);
        await world.PlannedAsync(binding);

        var first = Today.AddDays(10);
        Assert.Equal($"{first:yyyy-MM-dd} 01:00 01:10 00:00-24:00", await world.OneAsync<string>("""
            SELECT to_char(warn_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || to_char(breach_at AT TIME ZONE 'UTC', ' HH24:MI ') || business_hours FROM kpi_sla_clock WHERE binding_id = @binding
            """, new { binding }));
        Assert.Equal("00:00-24:00", await world.OneAsync<string>("SELECT business_hours FROM kpi_monitor_sla WHERE binding_id = @binding", new { binding }));
    }

    [Fact]
    public async Task A_breach_ends_by_a_result_and_by_a_calendar_in_which_nothing_was_due()
    {
        await using var world = await SlaWorld.StartAsync();
        await PutAsync(world, EveryDay);
        var binding = await PromisedAsync(world);
        await world.PlannedAsync(binding);
        await world.PassAsync(binding, "2 hours");
        await world.UntilAsync("SELECT breached_at IS NOT NULL FROM kpi_sla_episode WHERE binding_id = @binding", new { binding });
        await FreshnessTests.RunAsync(world, binding);
        await world.UntilAsync("SELECT resolution = 'recovered' FROM kpi_sla_episode WHERE binding_id = @binding", new { binding });

        await world.PassAsync(binding, "2 hours");
        await world.UntilAsync("SELECT count(*) = 2 AND bool_and(breached_at IS NOT NULL) FROM kpi_sla_episode WHERE binding_id = @binding", new { binding });
        await PutAsync(world, $"{EveryDay}\nholidays: [{string.Join(", ", Enumerable.Range(-3, 6).Select(day => $"{{ date: {Today.AddDays(day):yyyy-MM-dd}, name: H }}"))}]");
        await world.UntilAsync("SELECT bool_and(resolved_at IS NOT NULL) FROM kpi_sla_episode WHERE binding_id = @binding", new { binding });
        Assert.Equal("freshness breached recovered, freshness breached changed", await world.EpisodesAsync(binding));
    }

    [Fact]
    public async Task A_newer_result_that_is_stale_as_well_ends_nothing()
    {
        await using var world = await SlaWorld.StartAsync();
        await PutAsync(world, EveryDay);
        var binding = await PromisedAsync(world);
        await world.PlannedAsync(binding);
        await world.PassAsync(binding, "5 hours");
        await world.UntilAsync("SELECT breached_at IS NOT NULL FROM kpi_sla_episode WHERE binding_id = @binding", new { binding });

        // As a run of an old window leaves it: further than before, and stale for an hour.
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET good_through = now() - interval '2 hours' WHERE binding_id = @binding", new { binding });
        await world.UntilAsync("SELECT c.needs > rt.good_through FROM kpi_sla_clock c JOIN kpi_job_runtime rt USING (binding_id) WHERE binding_id = @binding", new { binding });
        Assert.Equal("freshness breached", await world.EpisodesAsync(binding));
        await FreshnessTests.RunAsync(world, binding);
        await world.UntilAsync("SELECT resolution = 'recovered' FROM kpi_sla_episode WHERE binding_id = @binding", new { binding });
    }

    [Fact]
    public async Task Without_a_calendar_it_is_refused()
    {
        await using var world = await SlaWorld.StartAsync();
        await world.Node.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var answer = await world.Node.Jobs().ValidateJobAsync(new ValidateJobRequest { Content = SampleTexts.Simple("hours", more: "sla: { freshness: { target: 1h, business_hours: 09:00-17:00 } }") }, cancellationToken: Token);
        Assert.Equal(("meaning.business_hours", "/sla/freshness/business_hours"), (answer.Findings[0].Rule, answer.Findings[0].Path));
    }

    private static async Task<long> PromisedAsync(LeaseWorld world)
    {
        await world.Node.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var text = SampleTexts.Simple("promised", ByTheClock.Yearly, "sla: { freshness: { target: 1h, grace: 10m, business_hours: 00:00-24:00 } }").Replace("timezone: UTC", "timezone: UTC, calendar: days", StringComparison.Ordinal);
        return (await world.Node.Jobs().CreateJobAsync(new CreateJobRequest { Content = text }, cancellationToken: Token)).BindingId;
    }

    private static async Task PutAsync(LeaseWorld world, string calendar) =>
        await world.Node.Catalog().PutCalendarAsync(new PutCalendarRequest { Tenant = "acme", Content = calendar }, cancellationToken: Token);
}
