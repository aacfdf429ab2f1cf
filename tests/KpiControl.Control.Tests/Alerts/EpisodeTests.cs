using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Control.Tests.Leases;
using KpiControl.Control.Tests.Sla;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Tests.Alerts;

public sealed class EpisodeTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_episode_is_listed_acknowledged_silenced_and_audited()
    {
        await using var world = await SlaWorld.StartAsync();
        var binding = await BreachedAsync(world);
        var alerts = new AlertService.AlertServiceClient(world.Node.Channel());

        var listed = (await alerts.ListEpisodesAsync(new ListEpisodesRequest { Tenant = "acme" }, cancellationToken: Token)).Episodes.Single();
        Assert.Equal((binding, "freshness", "breach", "high", "T-SIMPLE"), (listed.BindingId, listed.Clock, listed.State, listed.Criticality, listed.KpiId));
        var acknowledged = await alerts.AcknowledgeEpisodeAsync(new AcknowledgeEpisodeRequest { EpisodeId = listed.EpisodeId, Reason = "mine" }, cancellationToken: Token);
        Assert.Equal(("admin@acme.example", "mine"), (acknowledged.AcknowledgedBy, acknowledged.AcknowledgeReason));
        // Once more is the same.
        Assert.Equal(acknowledged, await alerts.AcknowledgeEpisodeAsync(new AcknowledgeEpisodeRequest { EpisodeId = listed.EpisodeId, Reason = "again" }, cancellationToken: Token));

        var until = Timestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow().AddHours(1));
        await RefusedAsync(StatusCode.InvalidArgument, alerts.SilenceEpisodeAsync(new SilenceEpisodeRequest { EpisodeId = listed.EpisodeId, Until = until }, cancellationToken: Token));
        await RefusedAsync(StatusCode.InvalidArgument, alerts.SilenceEpisodeAsync(new SilenceEpisodeRequest { EpisodeId = listed.EpisodeId, Reason = "x", Until = Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch) }, cancellationToken: Token));
        Assert.Equal("known", (await alerts.SilenceEpisodeAsync(new SilenceEpisodeRequest { EpisodeId = listed.EpisodeId, Reason = "known", Until = until }, cancellationToken: Token)).SilenceReason);
        Assert.Null((await alerts.UnsilenceEpisodeAsync(new UnsilenceEpisodeRequest { EpisodeId = listed.EpisodeId }, cancellationToken: Token)).SilencedUntil);
        await RefusedAsync(StatusCode.FailedPrecondition, alerts.UnsilenceEpisodeAsync(new UnsilenceEpisodeRequest { EpisodeId = listed.EpisodeId }, cancellationToken: Token));
        Assert.Equal(3, await world.OneAsync<int>("SELECT count(*)::int FROM kpi_audit WHERE object_kind = 'episode' AND verb = 'AlertsManage'"));

        await FreshnessTests.RunAsync(world, binding);
        await world.UntilAsync("SELECT resolved_at IS NOT NULL FROM kpi_sla_episode");
        await RefusedAsync(StatusCode.FailedPrecondition, alerts.AcknowledgeEpisodeAsync(new AcknowledgeEpisodeRequest { EpisodeId = listed.EpisodeId }, cancellationToken: Token));
        Assert.Empty((await alerts.ListEpisodesAsync(new ListEpisodesRequest(), cancellationToken: Token)).Episodes);
        Assert.Equal("recovered", (await alerts.ListEpisodesAsync(new ListEpisodesRequest { IncludeResolved = true }, cancellationToken: Token)).Episodes.Single().Resolution);
    }

    [Fact]
    public async Task A_month_is_told_by_job_tenant_and_criticality_with_its_budget()
    {
        await using var world = await SlaWorld.StartAsync();
        var binding = await BreachedAsync(world);
        var alerts = new AlertService.AlertServiceClient(world.Node.Channel());
        // The breach began half way: armed 100 minutes ago, in breach for 50.
        await world.ExecuteAsync("UPDATE kpi_sla_clock SET armed_at = now() - interval '100 minutes'; UPDATE kpi_sla_episode SET opened_at = now() - interval '51 minutes', breached_at = now() - interval '50 minutes'");

        foreach (var (by, key) in new[] { ("binding", "dev/promised"), ("criticality", "high"), ("tenant", "") })
        {
            var figure = (await alerts.ReportSlaAsync(new ReportSlaRequest { GroupBy = by }, cancellationToken: Token)).Figures.Single();
            Assert.Equal(("acme", key, "freshness", "seconds", 1), (figure.Tenant, figure.Key, figure.Clock, figure.Unit, figure.Breaches));
            // In the first hours of a month less of it lies in the month.
            Assert.InRange(figure.PercentMet, 0, 51);
            Assert.True(figure.BudgetLeft < figure.Budget && figure.Missed <= figure.Total);
        }
        var state = (await alerts.ListSlaStatesAsync(new ListSlaStatesRequest { State = "breach" }, cancellationToken: Token)).Clocks.Single();
        Assert.Equal((binding, "freshness", "breach"), (state.BindingId, state.Clock, state.State));
        Assert.NotEqual(0, state.EpisodeId);
        Assert.Empty((await alerts.ListSlaStatesAsync(new ListSlaStatesRequest { State = "warn" }, cancellationToken: Token)).Clocks);
        await RefusedAsync(StatusCode.InvalidArgument, alerts.ReportSlaAsync(new ReportSlaRequest { Month = "november" }, cancellationToken: Token));
    }

    private static async Task<long> BreachedAsync(LeaseWorld world)
    {
        var binding = await world.PromisedAsync("{ freshness: { target: 1h, grace: 10m } }", more: "criticality: high", token: Token);
        await world.PlannedAsync(binding);
        await world.PassAsync(binding, "2 hours");
        await world.UntilAsync("SELECT breached_at IS NOT NULL FROM kpi_sla_episode WHERE binding_id = @binding", new { binding });
        return binding;
    }

    private static async Task RefusedAsync<T>(StatusCode expected, AsyncUnaryCall<T> call) =>
        Assert.Equal(expected, (await Assert.ThrowsAsync<RpcException>(async () => await call)).StatusCode);
}
