using KpiControl.Agent.Secrets;
using KpiControl.Agent.Secrets.Stores;
using Microsoft.Extensions.Options;

namespace KpiControl.Agent.Tests.Secrets;

/// <summary>Files that only the test may read, and a cache over one store.</summary>
public sealed class StoreFolder : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("kpi-store-");

    internal SecretsInHand InHand { get; } = new();

    /// <returns>Its path.</returns>
    public string Write(string name, string text)
    {
        var file = Path.Combine(directory.FullName, name);
        File.WriteAllText(file, text);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return file;
    }

    internal SecretSources Sources(ISecretResolver store, TimeProvider? time = null, Action<SecretsOptions>? set = null)
    {
        var options = new SecretsOptions { Timeout = TimeSpan.FromSeconds(60) };
        set?.Invoke(options);
        return SecretSources.Of(InHand, new SecretCache(Options.Create(options), InHand, time ?? TimeProvider.System), store);
    }

    internal static SecretReference Reference(string text) => SecretReference.Parse(text) ?? throw new ArgumentException($"{text} is no reference", nameof(text));

    public void Dispose() => directory.Delete(recursive: true);
}
