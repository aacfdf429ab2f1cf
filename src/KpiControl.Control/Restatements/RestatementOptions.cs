using System.ComponentModel.DataAnnotations;

namespace KpiControl.Control.Restatements;

/// <summary>How long an offer stands, and how often late data is looked for.</summary>
internal sealed class RestatementOptions
{
    public const string Section = "Restatements";

    /// <summary>From the offer until it lapses; accepted before, it runs whenever its turn comes.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "400.00:00:00")]
    public TimeSpan OfferFor { get; set; } = TimeSpan.FromDays(45);

    /// <summary>From the publish of a late refresh to its offers, at most.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "00:10:00")]
    public TimeSpan LookEvery { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Between two looks at one late refresh, or a quarter of its age where that is longer: a run that had begun before it may succeed after it.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "01:00:00")]
    public TimeSpan LookAgainEvery { get; set; } = TimeSpan.FromMinutes(1);
}
