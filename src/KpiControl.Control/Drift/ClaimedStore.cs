namespace KpiControl.Control.Drift;

/// <summary>A store that this node alone may make a pass over.</summary>
internal sealed record ClaimedStore
{
    public required string Store { get; init; }
    public required string TenantId { get; init; }
    public required string Environment { get; init; }
    public long Fence { get; init; }
    /// <summary>What was read last; null: nothing yet.</summary>
    public string? Version { get; init; }
    public bool ReadsAll { get; init; }
    /// <summary>Passes that failed one after the other, up to now.</summary>
    public int Failures { get; init; }
}

/// <param name="Gone">Paths that were there before.</param>
internal sealed record PassResult(string Version, bool IsRewritten, int ContentsRead, IReadOnlyList<string> Gone);
