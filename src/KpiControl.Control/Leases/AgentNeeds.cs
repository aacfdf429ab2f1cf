namespace KpiControl.Control.Leases;

/// <summary>What a job needs of an agent, beside one that serves its tenant in its region. Pure.</summary>
internal sealed record AgentNeeds(string ConnId, IReadOnlyList<string> Labels)
{
    public bool AreMetBy(IReadOnlyDictionary<string, string> connections, IReadOnlyDictionary<string, string> labels) =>
        connections.ContainsKey(ConnId) && Labels.All(label => Has(labels, label));

    /// <summary>What none of the agents has, in words; where each has a part of it, all of it. Null: one has all.</summary>
    public string? Lacking(IReadOnlyCollection<(IReadOnlyDictionary<string, string> Connections, IReadOnlyDictionary<string, string> Labels)> agents)
    {
        if (agents.Any(agent => AreMetBy(agent.Connections, agent.Labels)))
            return null;
        var nowhere = Labels.Where(label => !agents.Any(agent => Has(agent.Labels, label))).Select(label => $"label {label}").ToList();
        if (!agents.Any(agent => agent.Connections.ContainsKey(ConnId)))
            nowhere.Insert(0, $"connection {ConnId}");
        return nowhere.Count > 0 ? string.Join(" or ", nowhere) : $"{string.Join(" and ", [$"connection {ConnId}", .. Labels.Select(label => $"label {label}")])} together";
    }

    /// <summary>A label is asked for by its name, or as <c>name=value</c>.</summary>
    private static bool Has(IReadOnlyDictionary<string, string> labels, string label) => labels.ContainsKey(label) || labels.Any(l => $"{l.Key}={l.Value}" == label);
}
