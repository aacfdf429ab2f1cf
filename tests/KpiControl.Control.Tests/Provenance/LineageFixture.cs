using Google.Protobuf.WellKnownTypes;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Provenance;

/// <summary>
/// T-TOTAL over T-NORTH and T-SOUTH, both over GDP_Sales: each ran, then GDP_Sales came in another version, and T-NORTH and
/// T-TOTAL ran again for the same date. A fourth job, <c>idle</c>, never ran.
/// </summary>
public sealed class LineageFixture : IAsyncLifetime
{
    private const string Date = "2026-01-31";
    private TestAgent agent = null!;
    private int leases;

    public ControlFixture Control { get; } = new();

    public ControlHost Host => Control.Host;

    public long North1 { get; private set; }
    public long South1 { get; private set; }
    public long Total1 { get; private set; }
    public long North2 { get; private set; }
    public long Total2 { get; private set; }

    public long North { get; private set; }
    public long South { get; private set; }
    public long Total { get; private set; }

    /// <summary>Computes T-NORTH too, and never ran.</summary>
    public long Twin { get; private set; }

    public async ValueTask InitializeAsync()
    {
        await Control.InitializeAsync();
        agent = await TestAgent.ConnectAsync(Host.Channel(Control.Issuer.AgentToken("agent-eu", "eu", "acme")), credit: 10);
        North = await BindAsync("north", "T-NORTH", "gdp: [GDP_Sales]");
        South = await BindAsync("south", "T-SOUTH", "gdp: [GDP_Sales, GDP_Stock]");
        Total = await BindAsync("total", "T-TOTAL", "kpis: [ { kpi_id: T-NORTH, contract_version: 1.0.0 }, { kpi_id: T-SOUTH, contract_version: 1.0.0 } ]");
        await BindAsync("idle", "T-IDLE", "gdp: [GDP_Sales]\n  signals: [eod]");

        await RefreshAsync("GDP_Stock", "s.1", 1);
        await RefreshAsync("GDP_Sales", "2026.01", 1);
        North1 = await RunAsync(North, ("gdp", "GDP_Sales", "rows:1"));
        South1 = await RunAsync(South, ("gdp", "GDP_Sales", "rows:1"), ("gdp", "GDP_Hidden", "h.1"));
        Total1 = await RunAsync(Total, ("kpi", "T-NORTH", "1.0.0"), ("kpi", "T-SOUTH", "1.0.0"));
        await RefreshAsync("GDP_Sales", "2026.02", 2);
        North2 = await RunAsync(North, ("gdp", "GDP_Sales", "rows:2"));
        Total2 = await RunAsync(Total, ("kpi", "T-NORTH", "1.0.0"), ("kpi", "T-SOUTH", "1.0.0"));
        // Now: a job waits for every job that computes the KPI.
        Twin = await BindAsync("twin", "T-NORTH", "business_date: previous");
        // What it took it no longer declares.
        await Host.Jobs().UpdateJobAsync(new UpdateJobRequest { BindingId = South, Content = Artifact("south", "T-SOUTH", "gdp: [GDP_Sales]") });
    }

    public async Task<LineageGraph> AskAsync(GetLineageRequest request, string? token = null) => await Host.Jobs(token).GetLineageAsync(request);

    public async Task<long> BindAsync(string job, string kpi, string dependencies)
    {
        await Host.PutContractAsync(SampleTexts.SimpleContract().Replace("T-SIMPLE", kpi, StringComparison.Ordinal).Replace("kpi.test.simple.v1", $"kpi.test.{kpi.ToLowerInvariant()[2..]}.v1", StringComparison.Ordinal), CancellationToken.None);
        return (await Host.Jobs().CreateJobAsync(new CreateJobRequest { Content = Artifact(job, kpi, dependencies) })).BindingId;
    }

    private static string Artifact(string job, string kpi, string dependencies) =>
        SampleTexts.Simple(job, "0 5 1 1 *", $"dependencies:\n  {dependencies}").Replace("T-SIMPLE", kpi, StringComparison.Ordinal);

    private async Task RefreshAsync(string dataset, string version, int day) =>
        await new SignalService.SignalServiceClient(Host.Channel()).PublishRefreshAsync(new PublishRefreshRequest
        {
            Tenant = "acme", Dataset = dataset, Version = version, RunId = $"load-{version}", DataThrough = Timestamp.FromDateTime(new DateTime(2026, 2, day, 0, 0, 0, DateTimeKind.Utc)),
        });

    private async Task<long> RunAsync(long binding, params (string Type, string Name, string Version)[] read)
    {
        await Host.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = binding, BusinessDate = Date });
        var lease = await agent.LeaseAsync(++leases);
        Assert.Equal(binding, lease.BindingId);
        var report = TestAgent.Success(lease);
        // By this machine's clock, like the refreshes: a trigger's slot is a whole second.
        report.StartedAt = report.FinishedAt = Timestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow());
        report.DataPoints = 1;
        report.Points.Add(new DataPoint { Period = Date, Metric = "amount", Value = lease.Fence.Number });
        report.Lineage = new Lineage { SqlHash = "sha256:" + new string('a', 64), Sources = { read.Select(r => new LineageSource { Type = r.Type, Name = r.Name, Version = r.Version }) } };
        Assert.Equal(FinishedAck.Types.Outcome.Recorded, (await agent.FinishAsync(report)).Outcome);
        return lease.Fence.Number;
    }

    public async ValueTask DisposeAsync()
    {
        await agent.DisposeAsync();
        await Control.DisposeAsync();
    }
}
