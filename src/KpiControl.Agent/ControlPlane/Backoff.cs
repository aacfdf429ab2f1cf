namespace KpiControl.Agent.ControlPlane;

/// <summary>Exponential pauses with jitter: when a control node dies, all its agents come back at once, and must not.</summary>
internal sealed class Backoff(TimeSpan shortest, TimeSpan longest)
{
    private int failures;

    public void Reset() => failures = 0;

    /// <param name="random">In [0, 1).</param>
    public TimeSpan Next(double random)
    {
        var ceiling = shortest * Math.Pow(2, Math.Min(failures++, 20));
        if (ceiling > longest)
            ceiling = longest;
        return ceiling / 2 + ceiling / 2 * random;
    }
}
