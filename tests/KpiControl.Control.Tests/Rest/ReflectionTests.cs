using KpiControl.Testing;

namespace KpiControl.Control.Tests.Rest;

/// <summary>As an administrator does it with grpcurl, or with buf: nothing but the address and a token is known.</summary>
public sealed class ReflectionTests(RestFixture fixture) : IClassFixture<RestFixture>
{
    private static readonly CancellationToken Token = CancellationToken.None;

    [Fact]
    public async Task Services_are_listed_and_called_through_reflection_alone()
    {
        var listed = await CurlAsync("--list-services", fixture.Host.GrpcUrl);
        Assert.True(listed.Code == 0, listed.Error);
        Assert.Contains("kpicontrol.v1.SignalService", listed.Output);

        var (code, output, error) = await CurlAsync("-d", """{"tenant": "acme", "name": "by_reflection"}""", $"{fixture.Host.GrpcUrl}/kpicontrol.v1.SignalService/PublishSignal");
        Assert.True(code == 0, error);
        Assert.Contains("signal_id", output);
    }

    [Fact]
    public async Task A_refusal_has_its_code()
    {
        var (code, _, error) = await CurlAsync("-d", "{}", $"{fixture.Host.GrpcUrl}/kpicontrol.v1.SignalService/PublishSignal");
        Assert.Equal(8 * 3, code);
        Assert.Contains("invalid_argument", error);
    }

    [Fact]
    public async Task The_protos_pass_lint()
    {
        var protoset = Path.Combine(AppContext.BaseDirectory, "kpicontrol.protoset");
        var (code, output, error) = await Buf.RunAsync(Token, "lint", "--config", "buf.yaml", "--path", "kpicontrol/v1", $"{protoset}#format=binpb");
        Assert.True(code == 0, output + error);
    }

    private Task<(int Code, string Output, string Error)> CurlAsync(params string[] arguments) => Buf.RunAsync(Token,
        ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "-H", $"authorization: Bearer {fixture.Issuer.Token()}", "--reflect-header", "*", .. arguments]);
}
