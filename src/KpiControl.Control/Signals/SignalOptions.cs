using System.ComponentModel.DataAnnotations;

namespace KpiControl.Control.Signals;

/// <summary>How often waiting occurrences are looked at without a reason.</summary>
internal sealed class SignalOptions
{
    public const string Section = "Signals";

    /// <summary>The safety net behind publishes and completions; a quarter more or less by chance.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "01:00:00")]
    public TimeSpan SweepEvery { get; set; } = TimeSpan.FromMinutes(1);
}
