using KpiControl.Agent.Secrets.Stores;

namespace KpiControl.Agent.Secrets;

/// <summary>Where an attempt's secrets come from, and where they are known while it lasts.</summary>
internal sealed class SecretSources(IReadOnlyList<ISecretResolver> near, IReadOnlyList<ISecretResolver> stores, SecretCache? cache, SecretsInHand inHand) : IAsyncDisposable
{
    public SecretsInHand InHand => inHand;

    /// <summary>This machine's alone: its environment and its files.</summary>
    public static SecretSources Of(SecretsInHand inHand) => new([new EnvironmentSecrets(), new FileSecrets()], [], null, inHand);

    public static SecretSources Of(SecretsInHand inHand, SecretCache cache, params IReadOnlyList<ISecretResolver> stores) =>
        new([new EnvironmentSecrets(), new FileSecrets()], stores, cache, inHand);

    /// <summary>The machine's own are read each time; a store is asked when nothing young enough is remembered.</summary>
    public Task<SecretLookup> ResolveAsync(SecretReference reference, CancellationToken token)
    {
        if (near.FirstOrDefault(one => one.Scheme == reference.Scheme) is { } local)
            return local.ResolveAsync(reference, token);
        return stores.FirstOrDefault(one => one.Scheme == reference.Scheme) is { } store
            ? cache!.GetAsync(store, reference, token)
            : Task.FromResult(SecretLookup.Missing($"{reference}: this agent has no such store: set its Address below Agent:Secrets"));
    }

    /// <summary>What was found before is wrong: nobody is given it again.</summary>
    public void Drop(SecretReference reference, string value) => cache?.Drop(reference, value);

    public async ValueTask DisposeAsync()
    {
        foreach (var store in stores)
            if (store is IAsyncDisposable owner)
                await owner.DisposeAsync();
        cache?.Dispose();
    }
}
