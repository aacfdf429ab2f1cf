using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Jobs.Tests.Contracts;

public sealed class StageCheckTests
{
    private static readonly MetricContract Kpi = Read("contracts/cfo-in-01").Kpi!;
    private static readonly DatasetContract[] Datasets = [Read("contracts/gdp-invoices").Dataset!, Read("contracts/raw-invoices").Dataset!];
    private static readonly string[] All = ["ingestion", "raw", "gdp", "kpi"];

    [Fact]
    public void Every_sample_of_the_stages_fits_its_contracts_and_an_agent_with_a_data_directory()
    {
        var files = Directory.GetFiles(Path.Combine(Samples.Root, "samples", "stages", "jobs"), "*.yaml");
        Assert.Equal(5, files.Length);
        Assert.All(files, file =>
        {
            var reading = ArtifactReader.Read(File.ReadAllText(file), ArtifactFormat.Yaml);
            Assert.Empty(reading.Findings.Concat(ContractCheck.Check(reading.Job!, Kpi)).Concat(Check(reading.Job!, [All])));
        });
    }

    [Theory]
    [InlineData("raw_plus_gdp", "gdp,kpi", "executes gdp, kpi, and not ingestion, raw.")]
    [InlineData("raw_plus_gdp", "kpi", "executes kpi, and not ingestion, raw, gdp.")]
    [InlineData("skeleton", "kpi", "executes kpi, and not gdp.")]
    public void What_the_connection_cannot_execute_is_refused(string profile, string able, string says)
    {
        var finding = Assert.Single(Check(Job(new JobRun { Profile = profile, ConnId = "here" }), [able.Split(',')]));
        Assert.Equal(("unsupported.stages", "/run/profile", Severity.Error), (finding.Rule, finding.Path, finding.Severity));
        Assert.Equal($"The connection here in acme/dev in eu {says}", finding.Message);
    }

    [Fact]
    public void A_connection_that_no_known_agent_has_is_refused()
    {
        var finding = Assert.Single(Check(Job(new JobRun { StageSet = ["gdp", "kpi"], ConnId = "here" }), []));
        Assert.Equal(("unsupported.stages", "/run/stage_set"), (finding.Rule, finding.Path));
        Assert.Contains("No agent is known in acme/dev in eu that has the connection here", finding.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_agent_that_can_is_enough() => Assert.Empty(Check(Job(new JobRun { Profile = "raw_plus_gdp" }), [["kpi"], All]));

    [Fact]
    public void The_stage_kpi_alone_asks_nothing_of_agents() => Assert.Empty(Check(Job(new JobRun()), []));

    [Theory]
    [InlineData("gdp-invoices", "GDP_Invoices has no active contract of type gdp: the stages ingestion, raw, gdp are skipped for it until it has one.")]
    [InlineData("raw-invoices", "RAW_Invoices has no active contract of type raw: the stages ingestion, raw are skipped for it until it has one.")]
    public void A_table_without_a_contract_is_warned_of(string without, string says)
    {
        var left = Datasets.Where(one => one.ContractId != Read($"contracts/{without}").ContractId).ToArray();
        var finding = Assert.Single(Check(Job(new JobRun { Profile = "raw_plus_gdp" }), [All], left));
        Assert.Equal(("contract.no_dataset", Severity.Warning, says), (finding.Rule, finding.Severity, finding.Message));
    }

    [Fact]
    public void A_run_does_not_wait_for_the_table_that_it_builds()
    {
        var job = Job(new JobRun { Profile = "raw_plus_gdp" });
        Assert.Empty(ContractCheck.Check(job, Kpi));
        Assert.Equal("contract.own_table", Assert.Single(ContractCheck.Check(job with { Dependencies = job.Dependencies with { Gdp = ["GDP_Invoices"] } }, Kpi)).Rule);
        Assert.Equal("contract.missing_dependency", Assert.Single(ContractCheck.Check(Job(new JobRun()), Kpi)).Rule);
    }

    [Fact]
    public void A_KPI_of_KPIs_has_no_tables_to_load()
    {
        var index = Kpi with { Layer = "secondary", GdpDependencies = [], KpiDependencies = [new KpiReference("CFO-EF-02", "1.1.0")] };
        Assert.Equal("contract.no_tables", Assert.Single(ContractCheck.Check(Job(new JobRun { Profile = "raw_only" }), index)).Rule);
    }

    private static IReadOnlyList<Finding> Check(JobArtifact job, IReadOnlyList<IReadOnlyList<string>> connections, DatasetContract[]? datasets = null) =>
        StageCheck.Check(job, Kpi, new StageSurroundings { Connections = connections, Datasets = datasets ?? Datasets }, "acme/dev in eu");

    private static JobArtifact Job(JobRun run) => ArtifactReader.Read(Text("jobs/invoices_load"), ArtifactFormat.Yaml).Job! with { Run = run };

    private static CatalogReading Read(string file) => CatalogReader.Read(Text(file), ArtifactFormat.Yaml);

    private static string Text(string file) => File.ReadAllText(Path.Combine(Samples.Root, "samples", "stages", $"{file}.yaml"));
}
