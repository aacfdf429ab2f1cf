namespace KpiControl.Jobs.Load;

/// <summary>What to write so that a peak is none.</summary>
/// <param name="Minute">The peak's, on the map.</param>
/// <param name="Fires">Of that minute, with all advice before this one followed.</param>
/// <param name="Jobs">Those whose <c>schedule.spread</c> is to be <paramref name="Spread"/>.</param>
/// <param name="HighestAfter">Of the hour from the peak on, by the places that these jobs would have.</param>
/// <param name="HighestMinute">Where that is.</param>
/// <param name="QuietMinute">Of that hour, the first of those in which the fewest fire: where a single one would be moved to.</param>
public sealed record LoadAdvice(int Minute, int Fires, IReadOnlyList<LoadJob> Jobs, TimeSpan Spread, int HighestAfter, int HighestMinute, int QuietMinute, int QuietFires);
