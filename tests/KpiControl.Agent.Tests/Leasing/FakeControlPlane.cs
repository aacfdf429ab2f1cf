using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using Grpc.Core;
using KpiControl.Protocol.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace KpiControl.Agent.Tests.Leasing;

/// <summary>The control plane's side of the lease stream, spoken by the test, over a real socket.</summary>
public sealed class FakeControlPlane : IAsyncDisposable
{
    private readonly Channel<FakeStream> streams = Channel.CreateUnbounded<FakeStream>();
    private readonly CancellationTokenSource closing = new();
    private readonly WebApplication app;

    private FakeControlPlane(int port, X509Certificate2? certificate)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, port, o =>
        {
            o.Protocols = HttpProtocols.Http2;
            if (certificate is not null)
                o.UseHttps(certificate);
        }));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(new FakeAgentService(this));
        builder.Services.Configure<HostOptions>(h => h.ShutdownTimeout = TimeSpan.FromSeconds(2));
        app = builder.Build();
        app.MapGrpcService<FakeAgentService>();
    }

    public string Address { get; private set; } = "";
    public int Port => new Uri(Address).Port;
    public int StreamsSeen { get; private set; }

    /// <summary>Every stream is ended with this status while it is set.</summary>
    public Status? Refuse { get; set; }

    public static async Task<FakeControlPlane> StartAsync(int port = 0, X509Certificate2? certificate = null)
    {
        var control = new FakeControlPlane(port, certificate);
        await control.app.StartAsync();
        control.Address = control.app.Urls.Single();
        return control;
    }

    public async Task<FakeStream> NextStreamAsync() => await streams.Reader.ReadAsync(Patience.Token());

    /// <summary>The next stream, greeted: the agent has its session and the stream answers heartbeats.</summary>
    public async Task<FakeStream> WelcomeAsync(long session = 1, int generation = 1, TimeSpan? ttl = null, params string[] lost)
    {
        var stream = await NextStreamAsync();
        await stream.WelcomeAsync(session, generation, ttl ?? TimeSpan.FromSeconds(30), lost);
        return stream;
    }

    public async ValueTask DisposeAsync()
    {
        await closing.CancelAsync();
        await app.DisposeAsync();
    }

    private sealed class FakeAgentService(FakeControlPlane control) : AgentService.AgentServiceBase
    {
        public override async Task Work(IAsyncStreamReader<AgentMessage> requestStream, IServerStreamWriter<ControlMessage> responseStream, ServerCallContext context)
        {
            control.StreamsSeen++;
            if (control.Refuse is { } status)
                throw new RpcException(status);
            if (!await requestStream.MoveNext())
                return;
            using var over = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, control.closing.Token);
            var stream = new FakeStream(requestStream.Current.Hello, context.RequestHeaders.GetValue("authorization") ?? "", responseStream, over.Token);
            control.streams.Writer.TryWrite(stream);
            await stream.ListenAsync(requestStream);
        }
    }
}

/// <summary>How long a test waits for what must come; never a pause.</summary>
internal static class Patience
{
    public static CancellationToken Token() => new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token;
}
