using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Tests.Evidence;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using DriftService = KpiControl.Protocol.V1.DriftService;

namespace KpiControl.Control.Tests.Overrides;

/// <summary>What ran under an override is proven as everything else is.</summary>
public sealed class OverrideEvidenceTests(EvidenceFixture fixture) : IClassFixture<EvidenceFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_run_under_an_override_in_prod_needs_no_approval_says_what_stood_and_its_bundle_is_whole()
    {
        var binding = await fixture.ReleaseAsync("overridden");
        var publisher = fixture.Issuer.PersonToken("publisher", "acme/*/publisher");
        var set = await new DriftService.DriftServiceClient(fixture.Host.Channel(publisher)).SetOverrideAsync(new SetOverrideRequest
        {
            BindingId = binding, Kind = "timeout", Value = "45m", Reason = "full reload", ExpiresAt = Timestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow().AddHours(1)),
        }, cancellationToken: Token);
        var run = await fixture.RunAsync(binding);

        var detail = await fixture.Host.Jobs().GetRunAsync(new GetRunRequest { RunId = run.Fence.Number }, cancellationToken: Token);
        var bundle = EvidenceFixture.Bytes(await fixture.ExportAsync(new ExportEvidenceRequest { RunId = run.Fence.Number }));

        Assert.Equal(TimeSpan.FromMinutes(45), run.Timeout.ToTimeSpan());
        Assert.Equal((set.OverrideId, "timeout", "45m", set.ExpiresAt), Assert.Single(detail.Evidence.Overrides) is var stood ? (stood.OverrideId, stood.Kind, stood.Value, stood.ExpiresAt) : default);
        Assert.Null(fixture.Verify(bundle).Finding);
        Assert.StartsWith("true", Assert.Single(await fixture.SecondAsync([bundle])), StringComparison.Ordinal);
    }
}
