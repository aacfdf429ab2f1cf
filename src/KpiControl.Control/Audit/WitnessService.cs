using System.Collections.Concurrent;
using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using KpiControl.Control.Certificates;
using KpiControl.Control.Hosting;
using KpiControl.Control.Security;
using KpiControl.Jobs.Evidence;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Audit;

/// <summary>Agents remember what was signed of their tenants' chains: whoever takes the database back, or writes it anew, is contradicted by them.</summary>
internal sealed partial class WitnessService(WitnessStore store, AgentCertificates certificates, AuditKey key, ChainMetrics metrics, ILogger<WitnessService> logger) : Protocol.V1.WitnessService.WitnessServiceBase
{
    private const int MostRemembered = 1000;

    // Said once by this node of each: agents say it again with every exchange.
    private readonly ConcurrentDictionary<(string Agent, ChainCheckpoint Remembered), bool> said = new();

    public override async Task<ExchangeResponse> Exchange(ExchangeRequest request, ServerCallContext context)
    {
        var token = context.CancellationToken;
        var agent = await certificates.AdmitAsync(context.Agent(), token);
        if (request.Remembered.Count > MostRemembered)
            throw Reject.Invalid("remembered", FormattableString.Invariant($"has more than {MostRemembered}: one of each tenant is enough"));
        var response = new ExchangeResponse();
        foreach (var told in request.Remembered.Where(told => agent.Tenants.Contains(told.Tenant)))
            if (await IsBrokenAsync(agent.Agent, told, token))
                response.Broken.Add(told.Tenant);
        response.Latest.AddRange((await store.LatestAsync([.. agent.Tenants], token)).Select(ToProto));
        return response;
    }

    // Only what this installation has signed is held against it: an agent that makes something up accuses nobody.
    private async Task<bool> IsBrokenAsync(string agent, Checkpoint told, CancellationToken token)
    {
        var remembered = new ChainCheckpoint(told.Tenant, told.Seq, told.Hash, told.SignedAt, told.KeyId);
        if (Hash(told.Hash) is not { } hash || !key.ThatSigned.Any(one => ChainSignature.Is(one, told.KeyId, remembered.ToSign(), told.Signature.ToByteArray())))
            return false;
        if (await store.HoldsAsync(remembered, hash, token))
            return false;
        if (!said.TryAdd((agent, remembered), true))
            return true;
        metrics.Contradicted();
        Log.Contradicted(logger, told.Tenant, agent, told.Seq, told.SignedAt);
        await store.NoteAsync(new AuditEntry
        {
            TenantId = told.Tenant, Actor = $"agent {agent}", Verb = "Witness", ObjectKind = "chain", ObjectId = told.Seq.ToString(CultureInfo.InvariantCulture),
            Reason = "the chain does not go through a checkpoint that this agent remembers: it was rolled back, or written anew", Before = AuditEntry.Json(new { told.Seq, told.Hash, told.SignedAt, told.KeyId }),
        }, token);
        return true;
    }

    private static byte[]? Hash(string hex)
    {
        try
        {
            return Convert.FromHexString(hex);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static Checkpoint ToProto(StoredCheckpoint stored)
    {
        var signed = stored.Signed;
        return new Checkpoint { Tenant = signed.Tenant, Seq = signed.Seq, Hash = signed.Hash, SignedAt = signed.SignedAt, KeyId = signed.KeyId, Signature = ByteString.CopyFrom(stored.Signature) };
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 760, Level = LogLevel.Error, Message = "The audit chain of {Tenant} was rolled back or written anew: agent {Agent} remembers link {Seq}, signed at {SignedAt}, which the chain does not go through")]
        public static partial void Contradicted(ILogger logger, string tenant, string agent, long seq, string signedAt);
    }
}
