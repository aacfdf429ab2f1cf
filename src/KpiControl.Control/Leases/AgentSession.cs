using System.Collections.Concurrent;
using System.Threading.Channels;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Leases;

/// <summary>An agent's session while its stream is on this node.</summary>
internal sealed class AgentSession(OpenedSession opened, SessionOpening opening, long heardAt)
{
    private readonly Channel<ControlMessage> _outbox = Channel.CreateUnbounded<ControlMessage>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    // Whose text went out on this stream already: a contract does so once on each.
    private readonly HashSet<string> _contractsSent = [];
    private readonly ConcurrentDictionary<Guid, bool> _cancels = new();
    private readonly Lock _welcoming = new();
    // What is for the agent before its Welcome, which is the first that it hears; null once it was welcomed.
    private List<ControlMessage>? _behindWelcome = [];
    private long _heardAt = heardAt;
    private int _credit;
    private int _drained, _putOff;

    public SessionRef Id => opened.Id;
    public SessionOpening Opening => opening;
    public string Region => opening.Region;

    /// <summary>The cluster's, as its Welcome told it.</summary>
    public int Epoch => opened.Epoch;

    /// <summary>Null: its agent was not drained when it opened.</summary>
    public string? DrainReason => opened.DrainReason;

    /// <summary>Attempts granted by this node and not finished.</summary>
    public ConcurrentDictionary<Guid, GrantedAttempt> Held { get; } = new();

    /// <summary>What its agent's certificate says; null where it came with a token.</summary>
    public CertificateFacts? Certificate => opening.Certificate;

    /// <summary>The agent was shut out: no more of it is heard.</summary>
    public bool IsShutOut { get; private set; }

    /// <summary>Completes when the stream should end.</summary>
    public Task Closed => _closed.Task;
    public bool IsAttached { get; private set; } = true;
    /// <summary>The agent stops: it said so.</summary>
    public bool IsDraining { get; private set; }
    /// <summary>An operator drains the agent, and it was told.</summary>
    public bool IsDrained => Volatile.Read(ref _drained) != 0;
    public ChannelReader<ControlMessage> Outbox => _outbox.Reader;

    public int Credit => TakesLeases ? Volatile.Read(ref _credit) : 0;

    private bool TakesLeases => IsAttached && !IsDraining && !IsDrained;

    public long HeardAt => Volatile.Read(ref _heardAt);

    public void Heard(long now) => Volatile.Write(ref _heardAt, now);

    public void AddCredit(int slots) => Interlocked.Add(ref _credit, slots);

    /// <summary>A slot is spoken for before the database is asked, so that no two dispatchers count on it.</summary>
    public bool TryReserve()
    {
        if (!TakesLeases)
            return false;
        if (Interlocked.Decrement(ref _credit) >= 0)
            return true;
        Interlocked.Increment(ref _credit);
        return false;
    }

    public void Release() => Interlocked.Increment(ref _credit);

    public bool CanRun(BindingPlan plan) =>
        !IsDrained && opening.Tenants.Contains(plan.Tenant) && plan.Needs.AreMetBy(opening.Offer);

    public bool FirstNeedOf(string contractDigest)
    {
        lock (_contractsSent)
            return _contractsSent.Add(contractDigest);
    }

    public void Send(ControlMessage message)
    {
        lock (_welcoming)
            if (_behindWelcome is not null)
                _behindWelcome.Add(message);
            else
                _outbox.Writer.TryWrite(message);
    }

    public void Welcome(Welcome welcome)
    {
        lock (_welcoming)
        {
            _outbox.Writer.TryWrite(new ControlMessage { Welcome = welcome });
            _behindWelcome?.ForEach(message => _outbox.Writer.TryWrite(message));
            _behindWelcome = null;
        }
    }

    /// <summary>An operator wants the attempt stopped.</summary>
    public void Cancel(Guid attempt)
    {
        _cancels[attempt] = true;
        Send(new ControlMessage { Cancel = new Cancel { AttemptId = attempt.ToString(), Reason = "An operator cancelled the occurrence." } });
    }

    /// <summary>After a lease went out: a cancel that was heard between its commit and now was nothing to the agent yet.</summary>
    public void CancelAgain(Guid attempt)
    {
        if (_cancels.ContainsKey(attempt))
            Cancel(attempt);
    }

    public void Began(Guid attempt)
    {
        if (Held.TryGetValue(attempt, out var granted))
            granted.HasBegun = true;
    }

    /// <summary>Of the session's stream before this one, what the agent still holds.</summary>
    public void Inherit(AgentSession former, IEnumerable<Guid> held)
    {
        foreach (var attempt in held)
            if (former.Held.TryGetValue(attempt, out var granted))
                Held.TryAdd(attempt, granted);
    }

    /// <summary>The attempt's report was answered.</summary>
    public void Forget(Guid attempt)
    {
        Held.TryRemove(attempt, out _);
        _cancels.TryRemove(attempt, out _);
    }

    /// <summary>Answers reports.</summary>
    public void Acknowledge(IEnumerable<FinishedAck> acks) => Send(new ControlMessage { FinishedAcks = new FinishedAckBatch { Acks = { acks } } });

    public void Drain() => IsDraining = true;

    /// <summary>Nothing more for this agent, and it is told so.</summary>
    /// <returns>False: it was told before.</returns>
    public bool DrainBecause(string reason)
    {
        if (Interlocked.Exchange(ref _drained, 1) != 0)
            return false;
        Send(new ControlMessage { Drain = new Drain { Reason = reason } });
        return true;
    }

    /// <summary>Reports of this stream found no room.</summary>
    /// <returns>False: some did before.</returns>
    public bool PutOff() => Interlocked.Exchange(ref _putOff, 1) == 0;

    /// <summary>The stream is gone; the session lives on until it is silent for too long, or resumes.</summary>
    public void Detach() => IsAttached = false;

    public void ShutOut()
    {
        IsShutOut = true;
        Close();
    }

    /// <summary>Says a last word and ends the stream.</summary>
    public void Close(ControlMessage? last = null)
    {
        Detach();
        if (last is not null)
            Send(last);
        _outbox.Writer.TryComplete();
        _closed.TrySetResult();
    }
}
