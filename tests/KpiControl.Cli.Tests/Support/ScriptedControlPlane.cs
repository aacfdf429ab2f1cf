using System.Net;
using Grpc.Core;
using KpiControl.Cli.Connection;
using KpiControl.Protocol.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace KpiControl.Cli.Tests.Support;

/// <summary>A real gRPC server on loopback whose answers a test writes; it keeps what it was asked.</summary>
public sealed class ScriptedControlPlane : IAsyncLifetime
{
    private WebApplication app = null!;

    internal Script Script { get; } = new();
    public string Address { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddSingleton(Script);
        builder.Services.AddGrpc();
        builder.Services.AddGrpcHealthChecks();
        builder.Services.AddHealthChecks();
        app = builder.Build();
        app.Use((context, next) =>
        {
            context.Response.Headers[ServerHealth.VersionHeader] = "9.9.9";
            return next(context);
        });
        app.MapGrpcHealthChecksService();
        app.MapGrpcService<ScriptedJobs>();
        app.MapGrpcService<ScriptedChanges>();
        app.MapGrpcService<ScriptedTenants>();
        app.MapGrpcService<ScriptedCatalog>();
        app.MapGrpcService<ScriptedSignals>();
        app.MapGrpcService<ScriptedFleet>();
        app.MapGrpcService<ScriptedDoctor>();
        app.MapGrpcService<ScriptedMonitor>();
        app.MapGrpcService<ScriptedAlerts>();
        app.MapGrpcService<ScriptedLineage>();
        app.MapGrpcService<ScriptedDrift>();
        app.MapGrpcService<ScriptedRestatements>();
        await app.StartAsync();
        Address = app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Single();
    }

    public async ValueTask DisposeAsync() => await app.DisposeAsync();
}

/// <summary>What the server answers, by request type; a request without an answer is UNIMPLEMENTED.</summary>
internal sealed class Script
{
    private readonly Dictionary<Type, Func<object, object>> answers = [];

    public List<object> Asked { get; } = [];
    public string? Authorization { get; private set; }
    public DateTime Deadline { get; private set; }

    public void When<TRequest>(Func<TRequest, object> answer) => answers[typeof(TRequest)] = request => answer((TRequest)request);

    public T Last<T>() => Asked.OfType<T>().Last();

    public Task<TResponse> Answer<TRequest, TResponse>(TRequest request, ServerCallContext context)
        where TRequest : class
    {
        lock (Asked)
        {
            Asked.Add(request);
            Authorization = context.RequestHeaders.GetValue("authorization");
            Deadline = context.Deadline;
        }
        if (!answers.TryGetValue(typeof(TRequest), out var answer))
            throw new RpcException(new Status(StatusCode.Unimplemented, "no answer scripted"));
        var result = answer(request);
        return result is Task<TResponse> task ? task : Task.FromResult((TResponse)result);
    }
}
