namespace KpiControl.Agent.Secrets;

/// <summary><c>env:NAME</c>: a variable of the agent's environment. It has no version.</summary>
internal sealed class EnvironmentSecrets : ISecretResolver
{
    public const string SchemeName = "env";

    public string Scheme => SchemeName;

    public Task<SecretLookup> ResolveAsync(SecretReference reference, CancellationToken token) =>
        Task.FromResult(Environment.GetEnvironmentVariable(reference.Name) is { Length: > 0 } value
            ? SecretLookup.Found(value, "")
            : SecretLookup.Missing($"{reference} is not set: set the variable in the agent's environment and restart it"));
}
