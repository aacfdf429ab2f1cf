using System.Diagnostics.CodeAnalysis;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Outbox;

/// <summary>
/// What is not acknowledged, by attempt, in the order it was finished, and how far the current stream has sent it.
/// Only locations are kept in memory: a day's backlog may be larger than it.
/// </summary>
internal sealed class OutboxIndex
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, LinkedListNode<OutboxEntry>> byAttempt = new(StringComparer.Ordinal);
    private readonly LinkedList<OutboxEntry> inOrder = [];
    private Queue<OutboxEntry> unsent = new();

    public int Count
    {
        get { lock (gate) return byAttempt.Count; }
    }

    public void Add(OutboxEntry entry)
    {
        lock (gate)
        {
            Unlink(entry.Held.AttemptId);
            byAttempt[entry.Held.AttemptId] = inOrder.AddLast(entry);
            unsent.Enqueue(entry);
        }
    }

    public bool Remove(string attemptId)
    {
        lock (gate) return Unlink(attemptId);
    }

    public bool Contains(string attemptId)
    {
        lock (gate) return byAttempt.ContainsKey(attemptId);
    }

    /// <summary>A new stream begins: everything is to be sent again.</summary>
    public void Rewind()
    {
        lock (gate) unsent = new Queue<OutboxEntry>(inOrder);
    }

    public bool TryNextUnsent([NotNullWhen(true)] out OutboxEntry? entry)
    {
        lock (gate)
        {
            while (unsent.TryDequeue(out entry))
            {
                if (byAttempt.TryGetValue(entry.Held.AttemptId, out var node) && ReferenceEquals(node.Value, entry))
                    return true;
            }
            return false;
        }
    }

    public List<HeldAttempt> Held(int newest)
    {
        lock (gate) return [.. inOrder.Where(e => !e.Again).TakeLast(newest).Select(e => e.Held)];
    }

    public List<OutboxEntry> In(JournalSegment segment)
    {
        lock (gate) return [.. inOrder.Where(e => e.Segment == segment)];
    }

    private bool Unlink(string attemptId)
    {
        if (!byAttempt.Remove(attemptId, out var node))
            return false;
        inOrder.Remove(node);
        return true;
    }
}
