using Google.Protobuf.WellKnownTypes;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Leases;

/// <summary>What a run's evidence says that its dependencies were met by, whatever the agent's clock.</summary>
public sealed class RunInputsTests(RunInputsFixture world) : IClassFixture<RunInputsFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("1999-12-31T00:00:00Z", "behind", "load-1")]
    [InlineData("2099-12-31T00:00:00Z", "ahead", "load-2")]
    [InlineData("", "absent", "load-1")]
    public async Task An_agents_clock_moves_no_input_before_its_grant_or_behind_its_report(string began, string name, string expected)
    {
        var dataset = $"GDP_Clock_{name}";
        var binding = await BindAsync($"clock_{name}", $"gdp: [{dataset}]");
        await RefreshAsync(dataset, "load-1", day: 1);
        var lease = await TriggeredAsync(binding);
        await RefreshAsync(dataset, "load-2", day: 2);

        await FinishAsync(lease, began.Length == 0 ? null : Timestamp.FromDateTimeOffset(DateTimeOffset.Parse(began, System.Globalization.CultureInfo.InvariantCulture)));

        Assert.Equal(expected, await InputAsync(lease, "source_run"));
    }

    [Fact]
    public async Task Of_two_refreshes_through_the_same_instant_the_later_one_was_read()
    {
        var binding = await BindAsync("reloaded", "gdp: [GDP_Reloaded]");
        await RefreshAsync("GDP_Reloaded", "first", day: 3);
        await RefreshAsync("GDP_Reloaded", "again", day: 3);
        await RefreshAsync("GDP_Reloaded", "older data", day: 2);
        var lease = await TriggeredAsync(binding);

        await FinishAsync(lease, began: null);

        Assert.Equal("again", await InputAsync(lease, "source_run"));
    }

    [Fact]
    public async Task A_signal_of_no_date_is_the_input_of_the_slot_that_it_served()
    {
        var binding = await BindAsync("undated", "signals: [go_on]");
        var first = await SignalAsync("go_on");
        var lease = await TriggeredAsync(binding);
        await FinishAsync(lease, began: null);
        var second = await SignalAsync("go_on");
        var next = await TriggeredAsync(binding);
        await FinishAsync(next, began: null);

        Assert.Equal([$"{first}", $"{second}"], [await InputAsync(lease, "signal_id"), await InputAsync(next, "signal_id")]);
    }

    private async Task<long> BindAsync(string job, string dependencies)
    {
        await world.Control.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        return (await world.Control.Host.Jobs().CreateJobAsync(new CreateJobRequest { Content = SampleTexts.Simple(job, "0 5 1 1 *", $"dependencies: {{ {dependencies} }}") }, cancellationToken: Token)).BindingId;
    }

    private async Task RefreshAsync(string dataset, string run, int day) => await Signals.PublishRefreshAsync(new PublishRefreshRequest
    {
        Tenant = "acme", Dataset = dataset, RunId = run, DataThrough = Timestamp.FromDateTime(new DateTime(2026, 2, day, 0, 0, 0, DateTimeKind.Utc)),
    }, cancellationToken: Token);

    private async Task<long> SignalAsync(string name) =>
        (await Signals.PublishSignalAsync(new PublishSignalRequest { Tenant = "acme", Name = name, RequestId = Guid.NewGuid().ToString() }, cancellationToken: Token)).SignalId;

    private SignalService.SignalServiceClient Signals => new(world.Control.Host.Channel());

    private async Task<Lease> TriggeredAsync(long binding)
    {
        await world.Control.Host.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = binding, BusinessDate = "2026-01-31" }, cancellationToken: Token);
        return await world.Agent.LeaseAsync(world.Agent.Leases.Count + 1);
    }

    private async Task FinishAsync(Lease lease, Timestamp? began)
    {
        var report = TestAgent.Success(lease);
        (report.StartedAt, report.FinishedAt) = (began, began);
        Assert.Equal(FinishedAck.Types.Outcome.Recorded, (await world.Agent.FinishAsync(report)).Outcome);
    }

    private Task<string?> InputAsync(Lease lease, string member) =>
        world.Control.ScalarAsync<string>("SELECT document -> 'inputs' -> 0 ->> @member FROM kpi_evidence WHERE run_id = @run AND kind = 'run'", new { member, run = lease.Fence.Number });
}

/// <summary>A control plane and the one agent of its region.</summary>
public sealed class RunInputsFixture : IAsyncLifetime
{
    public ControlFixture Control { get; } = new();

    public TestAgent Agent { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        await Control.InitializeAsync();
        Agent = await TestAgent.ConnectAsync(Control.Host.Channel(Control.Issuer.AgentToken("agent-eu", "eu", "acme")), credit: 20);
    }

    public async ValueTask DisposeAsync()
    {
        await Agent.DisposeAsync();
        await Control.DisposeAsync();
    }
}
