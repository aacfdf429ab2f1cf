using System.Net.Sockets;
using System.Text;
using Google.Rpc;
using Grpc.Core;
using KpiControl.Control.Hosting;
using KpiControl.Control.Tests.Rest;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Control.Tests.Hosting;

/// <summary>What one peer can take of a node: connections, streams, bytes and time.</summary>
public sealed class LimitTests(RestFixture fixture) : IClassFixture<RestFixture>
{
    private const string Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    private static readonly byte[] NoSettings = [0, 0, 0, 4, 0, 0, 0, 0, 0];

    [Theory]
    [InlineData("10S", 60, "10S")]
    [InlineData("61S", 60, "60000m")]
    [InlineData("99999999H", 60, "60000m")]
    [InlineData("60000000u", 60, "60000000u")]
    [InlineData("99999999n", 60, "99999999n")]
    [InlineData(null, 300, "300000m")]
    public void A_call_ends_by_its_own_time_or_by_the_longest(string? asked, int longest, string timeout) =>
        Assert.Equal(timeout, CallDeadline.Timeout(asked, TimeSpan.FromSeconds(longest)));

    [Fact]
    public async Task A_call_that_takes_too_long_is_ended_by_gRPC_and_REST_alike()
    {
        await using var host = await ControlHost.StartAsync(fixture.Database, fixture.Issuer, ("Limits:LongestCall", "00:00:02"));
        await host.Jobs().ListJobsAsync(new ListJobsRequest());
        await using var owner = NpgsqlDataSource.Create(fixture.Database.Owner);
        await using var holding = await owner.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using var held = await holding.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await using (var hold = new NpgsqlCommand("LOCK TABLE kpi_job_binding IN ACCESS EXCLUSIVE MODE", holding, held))
            await hold.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        var refused = await Assert.ThrowsAsync<RpcException>(() => host.Jobs().ListJobsAsync(new ListJobsRequest()).ResponseAsync);
        Assert.Equal(StatusCode.DeadlineExceeded, refused.StatusCode);
        using var rest = host.Rest();
        using var answer = await rest.GetAsync(new Uri("/api/kpi-jobs", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(504, (int)answer.StatusCode);
        Assert.Contains("TOO_LONG", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_message_above_the_limit_is_refused_by_its_size()
    {
        var refused = await Assert.ThrowsAsync<RpcException>(() =>
            fixture.Host.Jobs().ValidateJobAsync(new ValidateJobRequest { Content = new string('x', 5 << 20) }).ResponseAsync);
        Assert.Equal((StatusCode.ResourceExhausted, "TOO_LARGE"), (refused.StatusCode, refused.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason));
        // By its length alone, before any of it is sent.
        using var peer = await ConnectAsync(fixture.Host.RestUrl, Encoding.ASCII.GetBytes(
            $"POST /api/kpi-jobs:validate HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {fixture.Issuer.Token()}\r\nContent-Type: application/yaml\r\nContent-Length: {5 << 20}\r\n\r\n"));
        var status = new byte[12];
        await peer.GetStream().ReadExactlyAsync(status, TestContext.Current.CancellationToken);
        Assert.Equal("HTTP/1.1 413", Encoding.ASCII.GetString(status));
    }

    [Fact]
    public async Task More_connections_than_allowed_are_closed_at_once()
    {
        await using var host = await ControlHost.StartAsync(fixture.Database, fixture.Issuer, ("Limits:Connections", "2"));
        using var first = await ConnectAsync(host.RestUrl, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n"u8.ToArray());
        using var second = await ConnectAsync(host.RestUrl, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n"u8.ToArray());
        Assert.True(await ReadsAsync(first) && await ReadsAsync(second));
        using var third = await ConnectAsync(host.RestUrl, []);
        await EndsAsync(third);
    }

    [Fact]
    public async Task A_connection_is_told_how_many_streams_it_may_have()
    {
        await using var host = await ControlHost.StartAsync(fixture.Database, fixture.Issuer, ("Limits:StreamsPerConnection", "7"));
        using var peer = await ConnectAsync(host.GrpcUrl, [.. Encoding.ASCII.GetBytes(Preface), .. NoSettings]);
        var header = new byte[9];
        await peer.GetStream().ReadExactlyAsync(header, TestContext.Current.CancellationToken);
        var settings = new byte[header[1] << 8 | header[2]];
        await peer.GetStream().ReadExactlyAsync(settings, TestContext.Current.CancellationToken);
        Assert.Equal(4, header[3]);
        var streams = settings.Chunk(6).Single(s => (s[0] << 8 | s[1]) == 3);
        Assert.Equal(7, streams[2] << 24 | streams[3] << 16 | streams[4] << 8 | streams[5]);
    }

    [Theory]
    [InlineData("silent", false, "")]
    [InlineData("in the middle of its headers", false, "GET /health HTTP/1.1\r\nHo")]
    [InlineData("in the middle of its body", false, "POST /api/kpi-jobs HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nAuthorization: Bearer TOKEN\r\nContent-Length: 100\r\n\r\n{")]
    [InlineData("silent on the address of gRPC", true, "")]
    [InlineData("that answers no ping", true, Preface)]
    public async Task A_peer_is_cut_that_stays(string how, bool isGrpc, string sent)
    {
        Assert.NotEmpty(how);
        await using var host = await ControlHost.StartAsync(fixture.Database, fixture.Issuer, ("Limits:SilentFor", "00:00:02"), ("Limits:IdleFor", "00:00:03"));
        var bytes = Encoding.ASCII.GetBytes(sent.Replace("TOKEN", fixture.Issuer.Token(), StringComparison.Ordinal));
        using var peer = await ConnectAsync(isGrpc ? host.GrpcUrl : host.RestUrl, sent == Preface ? [.. bytes, .. NoSettings] : bytes);
        await EndsAsync(peer);
    }

    private static async Task<TcpClient> ConnectAsync(string url, byte[] first)
    {
        var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", new Uri(url).Port, TestContext.Current.CancellationToken);
        await client.GetStream().WriteAsync(first, TestContext.Current.CancellationToken);
        return client;
    }

    private static async Task<bool> ReadsAsync(TcpClient peer) => await peer.GetStream().ReadAsync(new byte[1], TestContext.Current.CancellationToken) == 1;

    /// <summary>Whatever is said before, the other side ends the connection.</summary>
    private static async Task EndsAsync(TcpClient peer)
    {
        var buffer = new byte[4096];
        try
        {
            while (await peer.GetStream().ReadAsync(buffer, TestContext.Current.CancellationToken) > 0)
            {
            }
        }
        catch (IOException reset) when (reset.InnerException is SocketException)
        {
        }
    }
}
