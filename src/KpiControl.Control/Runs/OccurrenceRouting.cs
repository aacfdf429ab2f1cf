using System.Text.Json;
using KpiControl.Control.Leases;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Runs;

/// <summary>Whether an agent can take the occurrence, and how long the one that runs it has: told in words. Pure.</summary>
internal static class OccurrenceRouting
{
    private const int MostNamed = 10;

    public static AgentNeeds? NeedsOf(string definition) =>
        ArtifactReader.Read(definition, ArtifactFormat.Json).Job is { Run: var run } ? AgentNeeds.Of(run) : null;

    /// <summary>What is missing, who is there, and what to do; null where an agent can take it, or none serves the tenant at all.</summary>
    public static string? Lacking(OccurrenceFacts facts)
    {
        if (facts.Agents.Count > 0 && facts.Agents.All(agent => agent.Drained))
            return $"every connected agent in region {facts.Binding.Region} that serves {facts.Binding.TenantId} is drained ({string.Join(", ", facts.Agents.Take(MostNamed).Select(agent => agent.Agent))}). Resume one (kpictl agents resume AGENT), or start another.";
        if (facts.Agents.Count == 0 || facts.Needs?.Lacking([.. facts.Agents.Where(agent => !agent.Drained).Select(agent => new AgentOffer(Pairs(agent.Connections), Pairs(agent.Labels), Pairs(agent.Stages)))]) is not { } lacking)
            return null;
        var named = string.Join("; ", facts.Agents.Take(MostNamed).Select(Named)) + (facts.Agents.Count > MostNamed ? $"; and {facts.Agents.Count - MostNamed} more" : "");
        return $"no connected agent in region {facts.Binding.Region} that serves {facts.Binding.TenantId} has {lacking}; agents connected: {named}. "
            + "Configure it on one of them, start one that has it, or correct run.conn_id and run.agent_labels of the job; it starts when such an agent connects.";
    }

    public static string Until(OpenRow open, DateTimeOffset now) => open.LeaseDeadline is not { } until ? ""
        : until > now ? $"; its agent stops it at {OccurrenceStory.Text(until)} at the latest (timeout)"
        : $"; its timeout was over at {OccurrenceStory.Text(until)}, and its agent, which is still heard, has not reported yet";

    private static string Named(LiveAgent agent)
    {
        var labels = Pairs(agent.Labels);
        return $"{agent.Agent} (connections {Words(Pairs(agent.Connections).Keys)}{(labels.Count > 0 ? $", labels {Words(labels.Select(label => $"{label.Key}={label.Value}"))}" : "")}{(agent.Drained ? ", drained" : "")})";
    }

    private static string Words(IEnumerable<string> words) => string.Join(", ", words.Order(StringComparer.Ordinal).DefaultIfEmpty("none"));

    private static IReadOnlyDictionary<string, string> Pairs(string json) => JsonSerializer.Deserialize<Dictionary<string, string>>(json) ?? [];
}
