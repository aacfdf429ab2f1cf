using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Grpc.Net.Client.Configuration;
using KpiControl.Cli.Login;

namespace KpiControl.Cli.Connection;

/// <summary>The channel to one control plane. UNAVAILABLE is the one code that is tried again by itself.</summary>
internal sealed class ControlPlane : IDisposable
{
    private readonly GrpcChannel channel;

    public ControlPlane(Target target, Surroundings world)
    {
        channel = GrpcChannel.ForAddress(target.Server, new GrpcChannelOptions
        {
            HttpHandler = Handler(target, world),
            DisposeHttpClient = true,
            MaxReceiveMessageSize = 64 * 1024 * 1024,
            ServiceConfig = new ServiceConfig { MethodConfigs = { RetryWhenUnavailable() } },
        });
        Anonymous = channel.CreateCallInvoker();
        Calls = Anonymous.Intercept(new AuthenticatedCalls(target, world));
    }

    /// <summary>Calls with the caller's token.</summary>
    public CallInvoker Calls { get; }

    /// <summary>Calls that need none: health.</summary>
    public CallInvoker Anonymous { get; }

    public void Dispose() => channel.Dispose();

    private static HttpMessageHandler Handler(Target target, Surroundings world)
    {
        var handler = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(10), EnableMultipleHttp2Connections = true };
        return target.Login is { } login ? new LoginRenewal(world, target.Server, login, handler) : handler;
    }

    private static MethodConfig RetryWhenUnavailable() => new()
    {
        Names = { MethodName.Default },
        RetryPolicy = new RetryPolicy
        {
            MaxAttempts = 4, InitialBackoff = TimeSpan.FromMilliseconds(200), MaxBackoff = TimeSpan.FromSeconds(2),
            BackoffMultiplier = 2, RetryableStatusCodes = { StatusCode.Unavailable },
        },
    };
}
