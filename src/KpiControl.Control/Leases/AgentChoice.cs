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
}
