using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Grpc.Core;
using KpiControl.Agent.Hosting;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Options;

namespace KpiControl.Agent.ControlPlane;

/// <summary>Sees to it that the agent has a certificate that counts: enrols it once, and renews it.</summary>
internal sealed partial class CertificateKeeper(ControlDoor door, IdentityFile file, IOptions<AgentOptions> agent, TimeProvider time, ILogger<CertificateKeeper> log) : IDisposable
{
    private static readonly TimeSpan CallWithin = TimeSpan.FromSeconds(20);
    private readonly SemaphoreSlim one = new(1);
    private readonly TaskCompletionSource enrolled = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when there is a certificate to renew.</summary>
    public Task Enrolled => enrolled.Task;

    /// <summary>The certificate to connect with, enrolled or renewed first where that is due; or in plain words why there is none.</summary>
    public Task<(ClientCertificate? Certificate, string Problem)> ReadyAsync(CancellationToken token) => GuardedAsync(async () =>
    {
        if (!door.Options.Enrols)
            return ClientCertificate.Of(await File.ReadAllTextAsync(door.Options.CertificateFile, token), await File.ReadAllTextAsync(door.Options.CertificateKeyFile, token));
        var current = file.Read() ?? await EnrolAsync(token);
        enrolled.TrySetResult();
        return current.ExpiresAt > time.GetUtcNow() ? current : await RenewAsync(current, token);
    }, token);

    /// <summary>The next certificate; or why not.</summary>
    public Task<(ClientCertificate? Certificate, string Problem)> RenewedAsync(CancellationToken token) =>
        GuardedAsync(async () => await RenewAsync(file.Read() ?? throw new InvalidDataException($"The agent's identity in {file.Directory} is gone."), token), token);

    /// <summary>Null where there is none that can be read: what is wrong with it is told by the next renewal.</summary>
    public ClientCertificate? Current()
    {
        try
        {
            return file.Read();
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    private async Task<ClientCertificate> EnrolAsync(CancellationToken token)
    {
        var (secret, problem) = BearerToken.Read(door.Options.EnrolmentToken);
        if (secret is null)
            throw new InvalidDataException($"The agent has no certificate, and no token to enrol with: {problem}. Have one made (kpictl agents enrol {agent.Value.Name}) and put it there.");
        using var channel = door.Channel(door.Options.EnrolmentAddress, null);
        // Where the answer is lost the token is used up, except for this key.
        using var key = file.EnrolmentKey();
        var kept = await KeepAsync(key, request => new AgentService.AgentServiceClient(channel).EnrollAsync(
            new EnrollRequest { Token = secret, Agent = agent.Value.Name, CertificateRequest = request }, Call(token)));
        Log.Enrolled(log, agent.Value.Name, kept.ExpiresAt, file.Directory);
        return kept;
    }

    private async Task<ClientCertificate> RenewAsync(ClientCertificate current, CancellationToken token)
    {
        using var channel = door.Channel(door.Address, current);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var kept = await KeepAsync(key, request => new AgentService.AgentServiceClient(channel).RenewAsync(new RenewRequest { CertificateRequest = request }, Call(token)));
        Log.Renewed(log, kept.ExpiresAt);
        return kept;
    }

    // Each certificate has a key of its own, which never leaves the machine.
    private async Task<ClientCertificate> KeepAsync(ECDsa key, Func<ByteString, AsyncUnaryCall<AgentCertificate>> ask)
    {
        var request = new CertificateRequest("CN=kpi-agent", key, HashAlgorithmName.SHA256).CreateSigningRequest();
        var answer = await ask(ByteString.CopyFrom(request));
        var (certificates, pem) = (answer.Certificate + "\n" + answer.Chain, key.ExportPkcs8PrivateKeyPem());
        var next = ClientCertificate.Of(certificates, pem);
        file.Write(certificates, pem);
        return next;
    }

    private CallOptions Call(CancellationToken token) => new(deadline: time.GetUtcNow().Add(CallWithin).UtcDateTime, cancellationToken: token);

    private async Task<(ClientCertificate?, string)> GuardedAsync(Func<Task<ClientCertificate>> work, CancellationToken token)
    {
        try
        {
            await one.WaitAsync(token);
            try
            {
                return (await work(), "");
            }
            finally
            {
                one.Release();
            }
        }
        catch (RpcException e)
        {
            return (null, Words(e));
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException or CryptographicException or ArgumentException or OperationCanceledException)
        {
            return (null, e.Message.ReplaceLineEndings(" "));
        }
    }

    private string Words(RpcException e)
    {
        var detail = (e.Status.DebugException?.GetBaseException().Message ?? e.Status.Detail).ReplaceLineEndings(" ").TrimEnd('.');
        if (Enrolled.IsCompleted)
            return $"The agent's certificate could not be renewed at {door.Address}: {e.StatusCode} ({detail}). It is tried again; where the agent was revoked, an operator must enrol it again: remove {file.Directory} then.";
        return e.StatusCode is StatusCode.Unauthenticated or StatusCode.AlreadyExists
            ? $"The token in {door.Options.EnrolmentToken} does not enrol agent '{agent.Value.Name}' ({detail}). Have a new one made (kpictl agents enrol {agent.Value.Name}) and put it there; it is read again at each try."
            : $"The agent could not be enrolled at {door.Options.EnrolmentAddress}: {e.StatusCode} ({detail}). Check Agent:ControlPlane:EnrolmentAddress and CaFile.";
    }

    public void Dispose() => one.Dispose();

    private static partial class Log
    {
        [LoggerMessage(1211, LogLevel.Information, "Agent {Agent} is enrolled; its certificate ends {ExpiresAt:O} and lies in {Directory}")]
        public static partial void Enrolled(ILogger log, string agent, DateTimeOffset expiresAt, string directory);

        [LoggerMessage(1212, LogLevel.Information, "The agent's certificate is renewed and ends {ExpiresAt:O}")]
        public static partial void Renewed(ILogger log, DateTimeOffset expiresAt);
    }
}
