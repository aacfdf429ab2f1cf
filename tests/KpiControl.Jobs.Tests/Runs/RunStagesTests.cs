using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Runs;

namespace KpiControl.Jobs.Tests.Runs;

public sealed class RunStagesTests
{
    [Theory]
    [InlineData(null, "kpi")]
    [InlineData("kpi_only", "kpi")]
    [InlineData("raw_only", "ingestion,raw")]
    [InlineData("pre_fill", "ingestion,raw")]
    [InlineData("raw_plus_gdp", "ingestion,raw,gdp")]
    [InlineData("backfill", "gdp,kpi")]
    [InlineData("skeleton", "ingestion,raw,gdp,kpi")]
    public void A_profile_selects_stages_in_the_platforms_order(string? profile, string stages) =>
        Assert.Equal(stages, string.Join(',', RunStages.Of(new JobRun { Profile = profile }).Stages));

    [Fact]
    public void A_stage_set_runs_in_that_order_too_however_it_is_written() =>
        Assert.Equal(["raw", "gdp", "kpi"], RunStages.Of(new JobRun { StageSet = ["kpi", "raw", "gdp"] }).Stages);

    [Fact]
    public void Only_a_run_with_the_stage_kpi_that_is_no_dry_run_makes_a_value()
    {
        string?[] computing = [null, "kpi_only", "raw_only", "raw_plus_gdp", "pre_fill", "backfill", "skeleton"];
        Assert.Equal([null, "kpi_only", "backfill"], computing.Where(profile => RunStages.Of(new JobRun { Profile = profile }).ComputesKpi));
        Assert.True(RunStages.Of(new JobRun { StageSet = ["gdp", "kpi"] }).ComputesKpi);
    }

    [Fact]
    public void A_dry_run_needs_a_connection_that_speaks_SQL_and_no_directory_of_files() =>
        Assert.Equal(["gdp", "kpi"], RunStages.Of(new JobRun { Profile = "skeleton" }).NeededOfConnection);
}
