using KpiControl.Agent.Executors;

namespace KpiControl.Agent.Tests.Executors;

/// <summary>Every value of every sample KPI on both engines, against <see cref="Figures"/>.</summary>
public sealed class SampleValueTests
{
    private static readonly Figures Figures = new(Samples.Data);

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task Every_value_of_every_sample_is_right(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);
        await CheckEveryValueAsync(warehouse.Executor);
    }

    [Fact]
    public async Task The_sample_service_computes_the_same_values_over_http()
    {
        await using var service = await SampleService.StartAsync(Samples.Data);
        await CheckEveryValueAsync(service.Executor);
        var end = new DateOnly(2001, 4, 1);
        new Expected(Figures.OnTime(byOrigin: false), "day").Check((await SuccessAsync(service.Executor, "on_time_http.yaml", "2001-03-31")).Points, null, end, "WoW");
    }

    private static async Task CheckEveryValueAsync(IExecutor executor)
    {
        Monthly(Figures.DaysSalesOutstanding(restated: false), "company_id", await SuccessAsync(executor, "dso_daily.yaml", "2024-12-31"), 2025, 1, "MoM");
        Monthly(Figures.DaysSalesOutstanding(restated: true), "company_id", await SuccessAsync(executor, "dso_restated.yaml", "2024-12-31"), 2025, 1, "MoM", "YoY");
        new Expected(Figures.RenewableShare(), "year").Check((await SuccessAsync(executor, "renewable_share_yearly.yaml", "2017-12-31")).Points, null, new DateOnly(2018, 1, 1), "YoY");
        Monthly(Figures.Jobs(), "sector", await SuccessAsync(executor, "jobs_by_sector.yaml", "2015-12-31"), 2016, 1, "MoM", "YoY");
        Monthly(Figures.Diffusion(), null, await SuccessAsync(executor, "jobs_diffusion.yaml", "2015-12-31"), 2016, 1, "MoM", "YoY");
        Monthly(Figures.Unemployment(byIndustry: false), null, await SuccessAsync(executor, "unemployment_monthly.yaml", "2010-02-28"), 2010, 3, "MoM", "YoY");
        Monthly(Figures.Unemployment(byIndustry: true), "industry", await SuccessAsync(executor, "unemployment_by_industry.yaml", "2010-02-28"), 2010, 3, "MoM", "YoY");
        Monthly(Figures.LabourMarket(), null, await SuccessAsync(executor, "labour_market_index.yaml", "2010-02-28"), 2010, 3, "MoM", "YoY");
        var end = new DateOnly(2001, 4, 1);
        new Expected(Figures.OnTime(byOrigin: false), "day").Check((await SuccessAsync(executor, "on_time_daily.yaml", "2001-03-31")).Points, null, end, "WoW");
        new Expected(Figures.OnTime(byOrigin: true), "day", "origin").Check((await SuccessAsync(executor, "on_time_by_origin.yaml", "2001-03-31")).Points, null, end, "WoW");
        var fourWeeks = await SuccessAsync(executor, "on_time_atlanta.yaml", "2001-03-31");
        new Expected(Figures.OnTime(byOrigin: false, only: "ATL"), "day").Check(fourWeeks.Points, end.AddDays(-28), end, "WoW");
        // Its predecessors lie before the window.
        Assert.Equal(Google.Protobuf.WellKnownTypes.Value.KindOneofCase.NumberValue, fourWeeks.Points[0].Extensions["WoW"].KindCase);
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task A_run_of_an_earlier_business_date_ends_there(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);
        var outcome = await SuccessAsync(warehouse.Executor, "dso_daily.yaml", "2024-03-30");
        Monthly(Figures.DaysSalesOutstanding(restated: false), "company_id", outcome, 2024, 3, "MoM");
    }

    private static void Monthly(Dictionary<(DateOnly, string), double> series, string? dimension, Outcome outcome, int year, int month, params string[] extensions) =>
        new Expected(series, "month", dimension).Check(outcome.Points, null, new DateOnly(year, month, 1), extensions);

    private static async Task<Outcome> SuccessAsync(IExecutor executor, string job, string businessDate)
    {
        var outcome = await executor.ExecuteAsync(Samples.Lease(job, businessDate), default, default);
        Assert.True(outcome.Status == "success", $"{job}: {outcome.Status} {outcome.ErrorCode} {outcome.ErrorMessage}");
        return outcome;
    }
}
