using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Requests;

public sealed class RequestIdTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_lost_the_role_is_not_answered_again()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "lost");
        var trigger = new TriggerJobRequest { BindingId = bound.BindingId, RequestId = Guid.CreateVersion7().ToString() };
        var put = new PutContractRequest { Tenant = "acme", Content = SampleTexts.SimpleContract(), RequestId = Guid.CreateVersion7().ToString() };
        var signal = new PublishSignalRequest { Tenant = "acme", Name = "eod", RequestId = Guid.CreateVersion7().ToString() };
        var publisher = fixture.Issuer.PersonToken("ann", "acme/dev/publisher");
        var first = await fixture.Host.Jobs(publisher).TriggerJobAsync(trigger, cancellationToken: Token);
        await fixture.Host.Catalog(publisher).PutContractAsync(put, cancellationToken: Token);
        await Signals(publisher).PublishSignalAsync(signal, cancellationToken: Token);

        // The method's own verb is still granted, in another environment or tenant: only the object's is not.
        foreach (var (roles, code) in new[] { ("acme/stg/publisher", StatusCode.PermissionDenied), ("globex/*/publisher", StatusCode.NotFound) })
        {
            var now = fixture.Issuer.PersonToken("ann", roles);
            Assert.Equal(code, (await Refusals.OfAsync(fixture.Host.Jobs(now).TriggerJobAsync(trigger, cancellationToken: Token))).StatusCode);
            Assert.Equal(code, (await Refusals.OfAsync(Signals(now).PublishSignalAsync(signal, cancellationToken: Token))).StatusCode);
        }
        Assert.Equal(StatusCode.NotFound, (await Refusals.OfAsync(fixture.Host.Catalog(fixture.Issuer.PersonToken("ann", "globex/*/publisher"))
            .PutContractAsync(put, cancellationToken: Token))).StatusCode);
        Assert.Equal(first, await fixture.Host.Jobs(publisher).TriggerJobAsync(trigger, cancellationToken: Token));
    }

    private SignalService.SignalServiceClient Signals(string token) => new(fixture.Host.Channel(token));
}
