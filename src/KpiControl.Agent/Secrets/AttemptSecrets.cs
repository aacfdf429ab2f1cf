using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Secrets;

/// <summary>The secrets of one attempt: resolved when needed, remembered by reference, redacted from what it says.</summary>
internal sealed class AttemptSecrets(IReadOnlyList<ISecretResolver> resolvers)
{
    private readonly Redactor redactor = new();
    private readonly List<SecretUse> uses = [];

    /// <summary>By reference and version, for the run's record.</summary>
    public IReadOnlyList<SecretUse> Uses => uses;

    public async Task<SecretLookup> ResolveAsync(SecretReference reference, CancellationToken token)
    {
        var resolver = resolvers.Single(one => one.Scheme == reference.Scheme);
        var found = await resolver.ResolveAsync(reference, token);
        if (found.Value is null)
            return found;
        redactor.Add(found.Value);
        uses.Add(new SecretUse { Reference = reference.ToString(), Version = found.Version });
        return found;
    }

    public string Redact(string text) => redactor.Redact(text);
}
