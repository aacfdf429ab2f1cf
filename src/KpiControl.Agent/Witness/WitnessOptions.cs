using System.ComponentModel.DataAnnotations;

namespace KpiControl.Agent.Witness;

/// <summary>Section <c>Agent:Witness</c>: what the agent remembers of its tenants' audit chains.</summary>
internal sealed class WitnessOptions
{
    public const string Section = "Agent:Witness";

    /// <summary>How often the control plane is asked, and told what is remembered.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "1.00:00:00", ErrorMessage = "Agent:Witness:Every must lie between 00:00:00.05 and 1.00:00:00.")]
    public TimeSpan Every { get; set; } = TimeSpan.FromMinutes(10);
}
