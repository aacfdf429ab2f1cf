using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Drift;

/// <summary>What is bound, on its way to a store.</summary>
internal sealed record PendingWrite
{
    public long WriteId { get; init; }
    public long BindingId { get; init; }
    public required string TenantId { get; init; }
    public required string Environment { get; init; }
    public required string JobId { get; init; }
    public required string Path { get; init; }
    public required string ContentHash { get; init; }
    /// <summary>What the store held there when it was asked for; null: nothing.</summary>
    public string? SeenVersion { get; init; }
    /// <summary>Written before this one, perhaps: what nobody was told of before another definition was bound.</summary>
    public required string[] OverHashes { get; init; }
    public required string Cause { get; init; }
    public required string Reason { get; init; }
    public required string RequestedBy { get; init; }
    public required string Format { get; init; }
    public required string Content { get; init; }
    public required string CanonicalJson { get; init; }
    /// <summary>Another definition is bound by now.</summary>
    public bool IsOvertaken { get; init; }
    public bool IsTakenAway { get; init; }

    /// <summary>Null: it is still to be written.</summary>
    public string? Obsolete => IsTakenAway ? "the job was taken away before it was written" : IsOvertaken ? "another definition was bound before it was written" : null;

    /// <summary>As its author wrote it; in a .json file that was written as YAML, its canonical form.</summary>
    public string Text => ArtifactFormats.OfPath(Path) == ArtifactFormat.Json && Format != "json" ? CanonicalJson : Content;

    /// <summary>Whether bytes are an artifact that means the same.</summary>
    public bool IsMeantBy(ReadOnlyMemory<byte> bytes) => MeaningOf(bytes) == ContentHash;

    /// <summary>Whether what is there may be written over: it is what was seen, or this one's own predecessor.</summary>
    /// <param name="version">What is there; null: nothing is.</param>
    public bool MayReplace(string? version, Func<ReadOnlyMemory<byte>> bytes) =>
        version == SeenVersion || (version is not null && OverHashes.Length > 0 && MeaningOf(bytes()) is { } there && OverHashes.Contains(there));

    private string? MeaningOf(ReadOnlyMemory<byte> bytes) => ArtifactReader.Read(bytes, ArtifactFormats.OfPath(Path)).ContentHash;

    public string Message => $"""
        {(Cause == "applied" ? $"Apply {JobId} as it is bound" : $"Roll back {JobId} to what is bound")} in {TenantId}/{Environment}

        {(Reason.Length > 0 ? $"{Reason}\n\n" : "")}Kpi-Content-Hash: {ContentHash}
        Kpi-Write: {WriteId}
        Kpi-Requested-By: {RequestedBy}

        """;
}

/// <param name="State">stored, refused, or pending: it is tried again.</param>
/// <param name="Commit">Git: the commit that holds it.</param>
internal sealed record WriteOutcome(string State, string? Commit = null, string? Problem = null)
{
    public const string Pending = "pending";

    public bool IsStored => State == "stored";

    public static WriteOutcome Stored(string? commit) => new("stored", commit);

    public static WriteOutcome Refused(string why) => new("refused", Problem: why);

    public static WriteOutcome Failed(string why) => new(Pending, Problem: why);

    public static WriteOutcome Moved(string path) => Refused($"the store has moved on: {path} is not what it was when this was asked for; look at it and ask again");
}
