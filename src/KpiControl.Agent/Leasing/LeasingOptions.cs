using System.ComponentModel.DataAnnotations;

namespace KpiControl.Agent.Leasing;

/// <summary>Section <c>Agent:Leasing</c>.</summary>
internal sealed class LeasingOptions
{
    public const string Section = "Agent:Leasing";

    /// <summary>The agent stops its attempts this long before the session's TTL; at most a quarter of it.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:05:00", ErrorMessage = "Agent:Leasing:TrustMargin must lie between 00:00:00 and 00:05:00.")]
    public TimeSpan TrustMargin { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Control must answer Hello within this time.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:05:00", ErrorMessage = "Agent:Leasing:WelcomeWithin must lie between 00:00:00.1 and 00:05:00.")]
    public TimeSpan WelcomeWithin { get; set; } = TimeSpan.FromSeconds(10);
}
