using System.ComponentModel.DataAnnotations;

namespace KpiControl.Agent.Execution;

/// <summary>Section <c>Agent:Execution</c>: the bounds of an attempt and of a stopping agent.</summary>
internal sealed class ExecutionOptions
{
    public const string Section = "Agent:Execution";

    /// <summary>After it was asked to stop, an attempt has this long before it is stopped by force.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00", ErrorMessage = "Agent:Execution:GentleFor must lie between 00:00:00 and 00:10:00.")]
    public TimeSpan GentleFor { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>After force it has this long before it is abandoned: its slot is free again, and its writes meet the fence.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00", ErrorMessage = "Agent:Execution:ForceFor must lie between 00:00:00 and 00:10:00.")]
    public TimeSpan ForceFor { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>For a lease that names no timeout.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "24:00:00", ErrorMessage = "Agent:Execution:DefaultTimeout must lie between 00:00:01 and 24:00:00.")]
    public TimeSpan DefaultTimeout { get; set; } = TimeSpan.FromHours(1);

    /// <summary>A stopping agent lets its attempts run this long; what is left then goes back to control.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "24:00:00", ErrorMessage = "Agent:Execution:FinishFor must lie between 00:00:00 and 24:00:00.")]
    public TimeSpan FinishFor { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>After that it waits this long for acknowledgements; what is not acknowledged stays in the outbox.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00", ErrorMessage = "Agent:Execution:DeliverFor must lie between 00:00:00 and 01:00:00.")]
    public TimeSpan DeliverFor { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>What a drain takes when every bound is used up.</summary>
    public TimeSpan LongestStop => FinishFor + GentleFor + ForceFor + DeliverFor;
}
