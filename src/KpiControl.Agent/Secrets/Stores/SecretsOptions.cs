using System.ComponentModel.DataAnnotations;

namespace KpiControl.Agent.Secrets.Stores;

/// <summary>Section <c>Agent:Secrets</c>: how secrets of stores are asked for and remembered. docs/agent.md lists every setting.</summary>
internal sealed class SecretsOptions
{
    public const string Section = "Agent:Secrets";

    /// <summary>For one secret, login included.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:05:00", ErrorMessage = "Agent:Secrets:Timeout must lie between 0.1 s and 5 min.")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>A rotation counts this much later at the latest; at once where the old secret is refused. Zero: nothing is remembered.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00", ErrorMessage = "Agent:Secrets:CacheFor must lie between 0 and 24 h.")]
    public TimeSpan CacheFor { get; set; } = TimeSpan.FromMinutes(5);

    [Range(1, 10_000, ErrorMessage = "Agent:Secrets:CacheEntries must lie between 1 and 10000.")]
    public int CacheEntries { get; set; } = 256;
}
