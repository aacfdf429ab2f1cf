using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Runs;

namespace KpiControl.Control.Leases;

/// <summary>What a job needs of an agent, beside one that serves its tenant in its region. Pure.</summary>
/// <param name="Stages">Beyond <c>kpi</c>, which every connection executes.</param>
internal sealed record AgentNeeds(string ConnId, IReadOnlyList<string> Labels, IReadOnlyList<string> Stages)
{
    public static AgentNeeds Of(JobRun run)
    {
        var stages = RunStages.Of(run);
        return new(run.ConnId, run.AgentLabels, stages.IsKpiAlone ? [] : stages.NeededOfConnection);
    }

    public bool AreMetBy(AgentOffer agent) =>
        agent.Connections.ContainsKey(ConnId) && (Stages.Count == 0 || Missing(agent).Count == 0) && Labels.All(label => Has(agent.Labels, label));

    /// <summary>What none of the agents has, in words; where each has a part of it, all of it. Null: one has all.</summary>
    public string? Lacking(IReadOnlyCollection<AgentOffer> agents)
    {
        if (agents.Any(AreMetBy))
            return null;
        var nowhere = Labels.Where(label => !agents.Any(agent => Has(agent.Labels, label))).Select(label => $"label {label}").ToList();
        var connected = agents.Where(agent => agent.Connections.ContainsKey(ConnId)).ToList();
        if (connected.Count == 0)
            nowhere.Insert(0, $"connection {ConnId}");
        else if (connected.TrueForAll(agent => Missing(agent).Count > 0))
            nowhere.Insert(0, $"connection {ConnId} for the stages {string.Join(", ", Missing(connected[0]))}");
        return nowhere.Count > 0 ? string.Join(" or ", nowhere) : $"{string.Join(" and ", [$"connection {ConnId}", .. Labels.Select(label => $"label {label}")])} together";
    }

    private List<string> Missing(AgentOffer agent) => [.. Stages.Except(agent.StagesOf(ConnId))];

    /// <summary>A label is asked for by its name, or as <c>name=value</c>.</summary>
    private static bool Has(IReadOnlyDictionary<string, string> labels, string label) => labels.ContainsKey(label) || labels.Any(l => $"{l.Key}={l.Value}" == label);
}

/// <summary>What an agent said of itself.</summary>
/// <param name="Connections">conn_id → executor.</param>
/// <param name="Stages">conn_id → the stages that it executes, joined by commas; one that is absent executes <c>kpi</c> alone, as agents did before they said it.</param>
internal sealed record AgentOffer(IReadOnlyDictionary<string, string> Connections, IReadOnlyDictionary<string, string> Labels, IReadOnlyDictionary<string, string> Stages)
{
    public IReadOnlyList<string> StagesOf(string connId) => Stages.GetValueOrDefault(connId)?.Split(',') ?? [RunStages.Kpi];
}
