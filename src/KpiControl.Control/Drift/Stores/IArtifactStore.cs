using System.Text;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Drift.Stores;

/// <summary>A place that keeps artifacts as text.</summary>
internal interface IArtifactStore
{
    /// <summary>What the store holds now.</summary>
    /// <param name="before">The version that was read last; null: none.</param>
    /// <exception cref="StoreFaultException">It cannot be had, in words.</exception>
    Task<IStoreSnapshot> OpenAsync(string? before, CancellationToken token);

    /// <summary>Writes artifacts, each only over what was seen there, and not at all where the store has it already.</summary>
    /// <param name="before">The version that was read last; null: none.</param>
    /// <returns>An outcome for each.</returns>
    /// <exception cref="StoreFaultException">None was written, in words.</exception>
    Task<IReadOnlyList<WriteOutcome>> WriteAsync(IReadOnlyList<PendingWrite> writes, string? before, CancellationToken token);
}

/// <summary>What a store held at one instant. Contents are read one by one, only where somebody asks.</summary>
internal interface IStoreSnapshot : IDisposable
{
    /// <summary>Equal where nothing of the store has changed.</summary>
    string Version { get; }

    /// <summary>Git: the commit; else null.</summary>
    string? Commit { get; }

    /// <summary>What was read last is no longer part of the store's history.</summary>
    bool IsRewritten { get; }

    /// <summary>Every artifact, without its content.</summary>
    IReadOnlyList<StoreEntry> List();

    /// <summary>How many contents may be asked for at a time.</summary>
    int ReadsAtOnce { get; }

    /// <returns>At most one byte more than an artifact may have.</returns>
    /// <exception cref="StoreFaultException">This one cannot be read.</exception>
    Task<byte[]> ReadAsync(StoreEntry entry, CancellationToken token);
}

/// <param name="Path">Within the store, with / between folders.</param>
/// <param name="Version">Changes with the content.</param>
internal sealed record StoreEntry(string Path, string Version)
{
    /// <summary>Of a store that has no version of its own: equal where all entries are.</summary>
    public static string VersionOf(IEnumerable<StoreEntry> entries) => ContentHash.Of(Encoding.UTF8.GetBytes(string.Join('\n', entries.Select(entry => $"{entry.Version} {entry.Path}"))));
}

/// <summary>A store, or one thing in it, cannot be had; the message is for people, and holds no secret.</summary>
internal sealed class StoreFaultException(string message) : Exception(message);
