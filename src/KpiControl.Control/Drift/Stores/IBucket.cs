namespace KpiControl.Control.Drift.Stores;

/// <summary>A place that keeps objects by name, each with a version of its own, as S3 and Azure Blob Storage do. Names are those beneath the store's prefix.</summary>
/// <remarks>What goes wrong is a <see cref="StoreFaultException"/> in words.</remarks>
internal interface IBucket : IDisposable
{
    /// <summary>As many as there are, without their contents.</summary>
    IAsyncEnumerable<StoreEntry> ListAsync(CancellationToken token);

    /// <summary>What stands there now; null: nothing does.</summary>
    /// <param name="version">Only if it is still this one; null: whichever.</param>
    Task<BucketObject?> ReadAsync(string name, string? version, CancellationToken token);

    /// <summary>Puts it over that version, or where nothing is.</summary>
    /// <returns>False: something else stands there by now, and stays.</returns>
    Task<bool> PutAsync(string name, string? version, byte[] content, CancellationToken token);
}

/// <param name="Content">At most one byte more than an artifact may have.</param>
internal sealed record BucketObject(string Version, byte[] Content)
{
    public static async Task<BucketObject> ReadAsync(string version, Stream content, CancellationToken token)
    {
        var bytes = new byte[Jobs.Artifacts.ArtifactLimits.MaxBytes + 1];
        return new BucketObject(version, bytes[..await content.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, token)]);
    }
}
