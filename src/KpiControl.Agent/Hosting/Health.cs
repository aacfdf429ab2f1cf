using KpiControl.Agent.Leasing;

namespace KpiControl.Agent.Hosting;

/// <summary>Whether the agent can do its work: what it lacks, in words, for whoever supervises it.</summary>
internal sealed class Health(AgentSession session, Outbox.Outbox outbox)
{
    /// <summary>Empty: it can take leases and keep their results.</summary>
    public IReadOnlyList<string> Lacks() => Words(session.HasStream, outbox.Writable);

    public static IReadOnlyList<string> Words(bool hasStream, bool isWritable) =>
    [
        .. hasStream ? (string[])[] : ["no stream to the control plane is open; the agent's log says why"],
        .. isWritable ? (string[])[] : ["the outbox cannot be written; free space there, or enlarge the volume"],
    ];
}
