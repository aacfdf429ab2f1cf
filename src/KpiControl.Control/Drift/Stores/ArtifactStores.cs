using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Drift.Stores;

/// <summary>The configured stores of this node, each made when it is first used.</summary>
internal sealed class ArtifactStores(IOptions<DriftOptions> options) : IDisposable
{
    private readonly Dictionary<string, IArtifactStore> made = new(StringComparer.Ordinal);
    private readonly Lock making = new();
    private string? ownCache;

    public StoreSettings SettingsOf(string name) => options.Value.Stores[name];

    public IArtifactStore Of(string name)
    {
        lock (making)
            return made.TryGetValue(name, out var store) ? store : made[name] = Make(name, SettingsOf(name));
    }

    public void Dispose()
    {
        foreach (var store in made.Values.OfType<IDisposable>())
            store.Dispose();
        if (ownCache is not null && Directory.Exists(ownCache))
            Directory.Delete(ownCache, recursive: true);
    }

    // Another location is another clone: what one holds is not the other's.
    private IArtifactStore Make(string name, StoreSettings settings) => settings.Kind switch
    {
        StoreKinds.Git => new GitStore(settings, Path.Combine(Cache(), $"{name}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(settings.Location)))[..12]}")),
        StoreKinds.S3 => new BucketStore(settings, new S3Bucket(settings)),
        StoreKinds.AzureBlob => new BucketStore(settings, new AzureContainer(settings)),
        _ => new DirectoryStore(settings),
    };

    private string Cache() => options.Value.CacheDirectory.Length > 0 ? options.Value.CacheDirectory : ownCache ??= Directory.CreateTempSubdirectory("kpi-control-stores-").FullName;
}
