using KpiControl.Control.Leases;

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

    private static AgentSession Session(int generation) => new(new SessionRef(7, generation), new SessionOpening
    {
        Agent = "agent", Instance = Guid.Empty, Region = "eu", Tenants = ["acme"], Build = "test", Slots = 1,
        Labels = new Dictionary<string, string>(), Connections = new Dictionary<string, string>(),
    }, heardAt: 0);
}
