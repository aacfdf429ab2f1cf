using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Certificates;

/// <summary>A node with an authority and a door for agents, a database and an issuer, one a test class.</summary>
public sealed class CertificateWorld : IAsyncLifetime
{
    public TestAuthority Authority { get; } = new();
    public TestDatabase Database { get; private set; } = null!;
    public TestIssuer Issuer { get; private set; } = null!;
    public ControlHost Host { get; private set; } = null!;

    public FleetService.FleetServiceClient Fleet => new(Host.Channel(Issuer.Token("operator")));
    public AgentService.AgentServiceClient Stranger => new(Host.Channel(""));

    public async ValueTask InitializeAsync()
    {
        Database = await PostgresFixture.CreateDatabaseAsync();
        Issuer = await TestIssuer.SharedAsync();
        Host = await ControlHost.StartAsync(Database, Issuer, Authority, _ => { }, ("Leases:PollEvery", "00:05:00"));
    }

    public async Task<string> TokenAsync(string agent, string region = "eu", params string[] tenants) => (await Fleet.CreateEnrolmentAsync(new CreateEnrolmentRequest
    {
        Agent = agent, Region = region, Tenants = { tenants.Length > 0 ? tenants : ["acme"] }, Reason = "a test",
    })).Token;

    /// <summary>An agent that was enrolled, with its certificate and key.</summary>
    public async Task<X509Certificate2> EnrolledAsync(string agent)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var answer = await Stranger.EnrollAsync(new EnrollRequest { Token = await TokenAsync(agent), Agent = agent, CertificateRequest = Asked(key) });
        return X509Certificate2.CreateFromPem(answer.Certificate, key.ExportPkcs8PrivateKeyPem());
    }

    public async Task<X509Certificate2> RenewedAsync(X509Certificate2 current)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var answer = await new AgentService.AgentServiceClient(Host.AgentChannel(current)).RenewAsync(new RenewRequest { CertificateRequest = Asked(key) });
        return X509Certificate2.CreateFromPem(answer.Certificate, key.ExportPkcs8PrivateKeyPem());
    }

    public Task<TestAgent> ConnectAsync(X509Certificate2? certificate, string agent, string region = "eu", Guid? instance = null) =>
        TestAgent.ConnectAsync(Host.AgentChannel(certificate), agent, region, instance);

    /// <summary>How a stream that must not open ends.</summary>
    public async Task<Status> RefusedAsync(X509Certificate2? certificate, string agent, string region = "eu") =>
        (await Assert.ThrowsAsync<RpcException>(() => ConnectAsync(certificate, agent, region))).Status;

    public static ByteString Asked(ECDsa key, Action<CertificateRequest>? more = null)
    {
        var request = new CertificateRequest("CN=whatever it likes", key, HashAlgorithmName.SHA256);
        more?.Invoke(request);
        return ByteString.CopyFrom(request.CreateSigningRequest());
    }

    public static string Uri(string agent, string region = "eu") => $"spiffe://kpi-control/region/{region}/agent/{agent}";

    public async Task<T?> OneAsync<T>(string sql)
    {
        await using var connection = await Database.OpenAsync();
        await using var command = new Npgsql.NpgsqlCommand(sql, connection);
        return (T?)await command.ExecuteScalarAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        await Database.DisposeAsync();
        Authority.Dispose();
    }
}
