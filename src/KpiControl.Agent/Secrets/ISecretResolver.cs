namespace KpiControl.Agent.Secrets;

/// <summary>Reads secrets of one scheme. Real ones: <c>env</c> and <c>file</c>.</summary>
internal interface ISecretResolver
{
    string Scheme { get; }

    Task<SecretLookup> ResolveAsync(SecretReference reference, CancellationToken token);
}

/// <summary>A value with its version, or what is wrong, by reference; never both.</summary>
internal sealed record SecretLookup(string? Value, string Version, string Problem)
{
    public static SecretLookup Found(string value, string version) => new(value, version, "");

    public static SecretLookup Missing(string problem) => new(null, "", problem);

    // A record prints its members: this one must not.
    public override string ToString() => Value is null ? Problem : "***";
}
