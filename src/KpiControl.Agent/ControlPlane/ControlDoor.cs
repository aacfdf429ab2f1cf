using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;
using KpiControl.Agent.Hosting;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Options;

namespace KpiControl.Agent.ControlPlane;

/// <summary>Opens lease streams. Each has a connection of its own: name, certificates and token are looked up anew.</summary>
internal sealed class ControlDoor(IOptions<ControlPlaneOptions> options, IOptions<AgentOptions> agent)
{
    private int turn;

    public ControlPlaneOptions Options => options.Value;

    /// <summary>The address that the next stream goes to.</summary>
    public string Address => options.Value.Addresses[turn % options.Value.Addresses.Count];

    /// <summary>The last one failed: the next stream goes to the next address.</summary>
    public void TryNextAddress() => turn = (turn + 1) % options.Value.Addresses.Count;

    public ControlConnection Open(Proof proof, CancellationToken cut)
    {
        var channel = Channel(Address, proof.Certificate);
        var headers = proof.Token is { } token ? new Metadata { { "authorization", "Bearer " + token } } : [];
        return new ControlConnection(channel, new AgentService.AgentServiceClient(channel).Work(headers, cancellationToken: cut));
    }

    /// <summary>A connection of its own, with the agent's certificate where it has one.</summary>
    public GrpcChannel Channel(string address, ClientCertificate? certificate) => GrpcChannel.ForAddress(address, new GrpcChannelOptions
    {
        HttpHandler = Handler(new Uri(address), certificate),
        DisposeHttpClient = true,
        MaxReceiveMessageSize = 64 << 20,
    });

    public Refusal Explain(RpcException e) => Refusal.Of(e, Address, agent.Value, options.Value);

    // The pings find a silent partition within 15 s: early enough to resume elsewhere before the session's TTL of 30 s.
    private SocketsHttpHandler Handler(Uri address, ClientCertificate? certificate)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = options.Value.ConnectTimeout,
            KeepAlivePingDelay = TimeSpan.FromSeconds(10),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(5),
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.Always,
            UseProxy = !ControlPlaneOptions.IsLoopback(address),
        };
        if (options.Value.CaFile.Length > 0)
            handler.SslOptions.CertificateChainPolicy = TrustOnly(options.Value.CaFile);
        if (certificate is not null)
            handler.SslOptions.ClientCertificateContext = SslStreamCertificateContext.Create(certificate.Leaf, certificate.Chain, offline: true);
        return handler;
    }

    private static X509ChainPolicy TrustOnly(string caFile)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.ImportFromPemFile(caFile);
        return policy;
    }
}

/// <summary>By what the agent proves who it is.</summary>
internal sealed record Proof(string? Token, ClientCertificate? Certificate);

/// <summary>One stream and the connection it owns.</summary>
internal sealed class ControlConnection(GrpcChannel channel, AsyncDuplexStreamingCall<AgentMessage, ControlMessage> call) : IDisposable
{
    public IClientStreamWriter<AgentMessage> Requests => call.RequestStream;
    public IAsyncStreamReader<ControlMessage> Responses => call.ResponseStream;

    public void Dispose()
    {
        call.Dispose();
        channel.Dispose();
    }
}
