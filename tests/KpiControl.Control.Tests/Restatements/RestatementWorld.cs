using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Control.Tests.Leases;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Restatements;

/// <summary>A node that looks for late data at once, an agent, and jobs on GDP tables that run when they are asked to.</summary>
public sealed class RestatementWorld : IAsyncDisposable
{
    private readonly LeaseWorld world;
    private readonly PeriodicHeartbeat alive;
    private int taken;

    private RestatementWorld(LeaseWorld world, TestAgent agent) => (this.world, Agent, alive) = (world, agent, new PeriodicHeartbeat(agent));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public LeaseWorld Leases => world;

    public TestAgent Agent { get; }

    public JobService.JobServiceClient Jobs => world.Node.Jobs();

    public SignalService.SignalServiceClient Signals => new(world.Node.Channel());

    public RestatementService.RestatementServiceClient Restatements => new(world.Node.Channel());

    public RestatementService.RestatementServiceClient RestatementsOf(string name, string role) => new(world.Node.Channel(world.Issuer.PersonToken(name, $"acme/*/{role}")));

    public static async Task<RestatementWorld> StartAsync(params (string Key, string Value)[] settings)
    {
        var world = await LeaseWorld.StartAsync([("Restatements:LookEvery", "00:00:00.1"), ("Restatements:LookAgainEvery", "00:00:00.2"), .. settings]);
        await world.Node.PutContractAsync(SampleTexts.SimpleContract(), Token);
        return new RestatementWorld(world, await world.AgentAsync(credit: 1));
    }

    /// <summary>A job that its schedule does not start while a test runs.</summary>
    public async Task<long> BindAsync(string job, string more, string environment = "dev") =>
        (await Jobs.CreateJobAsync(new CreateJobRequest { Environment = environment, Content = SampleTexts.Simple(job, ByTheClock.Yearly, more) }, cancellationToken: Token)).BindingId;

    /// <param name="through">A day of which nothing is in the table: everything before it is.</param>
    public AsyncUnaryCall<PublishRefreshResponse> RefreshAsync(string dataset, string run, string through, string? changedFrom = null, string environment = "dev") =>
        Signals.PublishRefreshAsync(Refresh(dataset, run, through, changedFrom, environment), cancellationToken: Token);

    public static PublishRefreshRequest Refresh(string dataset, string run, string through, string? changedFrom = null, string environment = "dev") => new()
    {
        Tenant = "acme", Environment = environment, Dataset = dataset, RunId = run, Version = run, DataThrough = At(through), ChangedFrom = changedFrom is null ? null : At(changedFrom),
    };

    /// <summary>Runs a business date, which reports one value.</summary>
    /// <returns>The run.</returns>
    public async Task<long> ReportAsync(long binding, string date, double value)
    {
        await Jobs.TriggerJobAsync(new TriggerJobRequest { BindingId = binding, BusinessDate = date }, cancellationToken: Token);
        var lease = await LeaseAsync();
        Assert.Equal((binding, date, "as_reported"), (lease.BindingId, lease.BusinessDate, lease.ScdView));
        await FinishAsync(lease, value);
        return lease.Fence.Number;
    }

    public Task<Lease> LeaseAsync() => Agent.LeaseAsync(++taken);

    public async Task FinishAsync(Lease lease, double value)
    {
        var report = TestAgent.Success(lease);
        report.DataPoints = 1;
        report.Points.Add(new DataPoint { Period = lease.BusinessDate, Metric = "amount", Value = value, Dimensions = { ["company_id"] = "PARENT" } });
        Assert.Equal(FinishedAck.Types.Outcome.Recorded, (await Agent.FinishAsync(report)).Outcome);
        await Agent.CreditAsync(1);
    }

    public async Task FailAsync(Lease lease)
    {
        await Agent.FinishAsync(TestAgent.Failure(lease, "SCHEMA_MISMATCH", "contract"));
        await Agent.CreditAsync(1);
    }

    /// <summary>The one open offer to a job, as soon as it is there.</summary>
    public Task<Restatement> OfferAsync(long binding) => Eventually.ComesAsync("a restatement is offered", async token =>
        (await Restatements.ListRestatementsAsync(new ListRestatementsRequest { BindingId = binding }, cancellationToken: token)).Restatements.SingleOrDefault());

    /// <summary>Waits until every late refresh was looked at again since now.</summary>
    public async Task LookedAsync()
    {
        var now = await world.OneAsync<DateTime>("SELECT now()");
        await world.UntilAsync("SELECT bool_and(looked_at > @now) FROM kpi_late_refresh", new { now });
    }

    public AsyncUnaryCall<Restatement> AcceptAsync(long id, string reason = "figures came late") =>
        Restatements.AcceptRestatementAsync(new AcceptRestatementRequest { RestatementId = id, Reason = reason, RequestId = Guid.CreateVersion7().ToString() }, cancellationToken: Token);

    public Task<Restatement> GetAsync(long id) => Restatements.GetRestatementAsync(new GetRestatementRequest { RestatementId = id }, cancellationToken: Token).ResponseAsync;

    /// <summary>As it is when what was accepted has ended.</summary>
    public async Task<Restatement> EndedAsync(long id)
    {
        await world.UntilAsync("SELECT f.finished_at IS NOT NULL FROM kpi_restatement s JOIN kpi_backfill f USING (backfill_id) WHERE s.restatement_id = @id", new { id });
        return await GetAsync(id);
    }

    public async Task<Run> RunAsync(long id) => (await Jobs.GetRunAsync(new GetRunRequest { RunId = id }, cancellationToken: Token)).Run;

    public async ValueTask DisposeAsync()
    {
        alive.Dispose();
        await Agent.DisposeAsync();
        await world.DisposeAsync();
    }

    private static Timestamp At(string day) => Timestamp.FromDateTimeOffset(DateTimeOffset.Parse(day, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal));
}
