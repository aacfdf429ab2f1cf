using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Leasing;

/// <summary>Contracts by digest: control sends each once on a stream, and may leave out what it sent. Used by the reader of the stream alone.</summary>
internal sealed class ContractCache
{
    private readonly Dictionary<string, string> byDigest = new(StringComparer.Ordinal);
    private long session;

    /// <summary>What is kept outlives a stream and not the session: this bounds it.</summary>
    public void Open(long sessionId)
    {
        if (session != sessionId)
            byDigest.Clear();
        session = sessionId;
    }

    /// <summary>The contract of the lease; null when control left it out and it is not known here.</summary>
    public string? Resolve(Lease lease)
    {
        if (lease.ContractDigest.Length == 0)
            return lease.ContractJson;
        if (lease.ContractJson.Length > 0)
            byDigest[lease.ContractDigest] = lease.ContractJson;
        return byDigest.GetValueOrDefault(lease.ContractDigest);
    }
}
