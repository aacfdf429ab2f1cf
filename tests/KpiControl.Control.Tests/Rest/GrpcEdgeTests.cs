using System.Net;
using System.Net.Http.Headers;

namespace KpiControl.Control.Tests.Rest;

public sealed class GrpcEdgeTests(RestFixture fixture) : IClassFixture<RestFixture>
{
    private const string Path = "/kpicontrol.v1.FleetService/ListAgents";

    [Theory]
    [InlineData(Path, null, "0000000000", "0")]
    [InlineData(Path, null, "00000000020880", "3")]
    [InlineData(Path, "10S", "0000000000", "0")]
    [InlineData(Path, "0S", "0000000000", "4")]
    [InlineData(Path, "00000000H", "0000000000", "4")]
    [InlineData(Path, "99n", "0000000000", "4")]
    [InlineData(Path, "-1S", "0000000000", "3")]
    [InlineData(Path, "soon", "0000000000", "3")]
    [InlineData(Path, "999999999S", "0000000000", "3")]
    [InlineData("/kpicontrol.v1.fleetservice/listagents", null, "0000000000", "12")]
    public async Task What_gRPC_lets_pass_by_default_has_a_code(string path, string? timeout, string frame, string status)
    {
        using var client = new HttpClient { BaseAddress = new Uri(fixture.Host.GrpcUrl) };
        var content = new ByteArrayContent(Convert.FromHexString(frame));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = content };
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", fixture.Issuer.Token());
        if (timeout is not null)
            request.Headers.TryAddWithoutValidation("grpc-timeout", timeout);
        using var answer = await client.SendAsync(request);
        await answer.Content.ReadAsByteArrayAsync();
        var said = answer.TrailingHeaders.TryGetValues("grpc-status", out var trailer) ? trailer : answer.Headers.GetValues("grpc-status");
        Assert.Equal(status, Assert.Single(said));
    }
}
