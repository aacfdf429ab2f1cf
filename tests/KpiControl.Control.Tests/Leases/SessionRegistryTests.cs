using KpiControl.Control.Leases;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Tests.Leases;

public sealed class SessionRegistryTests
{
    private readonly SessionRegistry _sessions = new();

    [Fact]
    public void The_newer_stream_of_a_session_ends_the_older()
    {
        var (older, newer) = (Session(1), Session(2));
        _sessions.Add(older);
        _sessions.Add(newer);

        Assert.Same(newer, _sessions.Find(7));
        Assert.Equal((true, false), (older.Closed.IsCompleted, newer.Closed.IsCompleted));
    }

    [Fact]
    public void A_slow_older_Hello_does_not_end_the_newer_stream()
    {
        var (older, newer) = (Session(1), Session(2));
        _sessions.Add(newer);
        _sessions.Add(older);

        Assert.Same(newer, _sessions.Find(7));
        Assert.Equal((true, false), (older.Closed.IsCompleted, newer.Closed.IsCompleted));
    }

    [Fact]
    public void Nothing_is_said_to_an_agent_before_its_Welcome()
    {
        var (session, attempt) = (Session(1), Guid.NewGuid());
        session.Cancel(attempt);

        session.Welcome(new Welcome { SessionId = 7 });
        session.Acknowledge([]);

        Assert.Equal(["Welcome", "Cancel", "FinishedAcks"], Said(session));
    }

    [Fact]
    public void A_cancel_that_was_heard_before_its_lease_went_out_is_said_again_behind_it()
    {
        var (session, early, other) = (Session(1), Guid.NewGuid(), Guid.NewGuid());
        session.Welcome(new Welcome { SessionId = 7 });
        session.Cancel(early);
        session.Send(new ControlMessage { Leases = new LeaseBatch() });

        session.CancelAgain(early);
        session.CancelAgain(other);

        Assert.Equal(["Welcome", "Cancel", "Leases", "Cancel"], Said(session));
    }

    private static IEnumerable<string> Said(AgentSession session)
    {
        while (session.Outbox.TryRead(out var message))
            yield return message.MessageCase.ToString();
    }

    private static AgentSession Session(int generation) => new(new OpenedSession(new SessionRef(7, generation), 1, null), new SessionOpening
    {
        Agent = "agent", Instance = Guid.Empty, Region = "eu", Tenants = ["acme"], Build = "test", Slots = 1,
        Labels = new Dictionary<string, string>(), Connections = new Dictionary<string, string>(),
    }, heardAt: 0);
}
