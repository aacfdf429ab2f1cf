using System.ComponentModel.DataAnnotations;

namespace KpiControl.Control.Sla;

internal sealed class SlaOptions
{
    public const string Section = "Sla";

    /// <summary>How often each node looks for clocks that are due; a look that finds none reads one index entry.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "00:00:30")]
    public TimeSpan SweepEvery { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Percent of the time, the runs or the deadlines of a month in which a promise is meant to be kept: what is left of it is the error budget.</summary>
    [Range(50, 100)]
    public double Objective { get; set; } = 99.5;
}
