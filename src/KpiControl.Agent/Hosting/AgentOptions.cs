using System.ComponentModel.DataAnnotations;

namespace KpiControl.Agent.Hosting;

/// <summary>Section <c>Agent</c>: who the agent is and what it serves. docs/agent.md lists every setting.</summary>
internal sealed class AgentOptions
{
    public const string Section = "Agent";

    /// <summary>The name that its token was issued to; two live agents never share one.</summary>
    [Required(ErrorMessage = "Agent:Name is missing: give the name that the agent's token was issued to.")]
    public string Name { get; set; } = "";

    /// <summary>Must be the token's region.</summary>
    [Required(ErrorMessage = "Agent:Region is missing: give the region that the agent serves, for example eu.")]
    public string Region { get; set; } = "";

    /// <summary>Tenants to serve; empty: all of the token's.</summary>
    public List<string> Tenants { get; set; } = [];

    public Dictionary<string, string> Labels { get; set; } = [];

    /// <summary>Most attempts at once.</summary>
    [Range(1, 100_000, ErrorMessage = "Agent:Slots must lie between 1 and 100000.")]
    public int Slots { get; set; } = 8;

    /// <summary>The agent's connections, see docs/connections.md.</summary>
    [Required(ErrorMessage = "Agent:ConnectionsFile is missing: give the path of the agent's connection file.")]
    public string ConnectionsFile { get; set; } = "";
}
