using KpiControl.Protocol.V1;

namespace KpiControl.Control.Leases;

/// <summary>Which session takes a lease: of those that can run it, the one with the most credit.</summary>
internal static class AgentChoice
{
    /// <summary>Reserves a slot, or says what is lacking.</summary>
    public static (AgentSession? Session, WaitingFor Lacking) Reserve(IReadOnlyList<AgentSession> agents, BindingPlan plan)
    {
        var able = false;
        AgentSession? best = null;
        foreach (var agent in agents)
        {
            if (!agent.CanRun(plan))
                continue;
            able = true;
            if (agent.Credit > (best?.Credit ?? 0))
                best = agent;
        }
        return best is not null && best.TryReserve() ? (best, default) : (null, able ? WaitingFor.Credit : WaitingFor.Agent);
    }

    /// <summary>
    /// After a grant that failed: nobody knows whether it was committed, and the slots it spoke for are no session's. The
    /// streams end; with the next Hello what was never sent goes back, and credit is counted anew.
    /// </summary>
    public static void EndStreams(IReadOnlyList<AgentSession> agents, IEnumerable<SessionRef> reservedOn)
    {
        foreach (var reserved in reservedOn.Distinct())
            agents.FirstOrDefault(agent => agent.Id == reserved)?.Close(new ControlMessage { Reconnect = new Reconnect { Reason = "A grant to this session failed half-way." } });
    }
}
