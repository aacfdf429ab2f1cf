namespace KpiControl.Agent.Secrets;

/// <summary>Reads secrets of one scheme. Real ones: <c>env</c>, <c>file</c>, <c>vault</c>, <c>azure-key-vault</c>, <c>aws-secrets-manager</c>.</summary>
/// <remarks>
/// What a store answers is never repeated, for it may hold anything. An HttpRequestException and the end of the token go
/// through: <see cref="Stores.SecretCache"/> words them.
/// </remarks>
internal interface ISecretResolver
{
    string Scheme { get; }

    Task<SecretLookup> ResolveAsync(SecretReference reference, CancellationToken token);
}

/// <summary>A value with its version, or what is wrong, by reference; never both.</summary>
internal sealed record SecretLookup(string? Value, string Version, string Problem)
{
    /// <summary>Whether another try may find it, with nobody having done anything.</summary>
    public bool MayPass { get; private init; }

    public static SecretLookup Found(string value, string version) => new(value, version, "");

    public static SecretLookup Missing(string problem) => new(null, "", problem);

    public static SecretLookup Unavailable(string problem) => new(null, "", problem) { MayPass = true };

    // A record prints its members: this one must not.
    public override string ToString() => Value is null ? Problem : "***";
}
