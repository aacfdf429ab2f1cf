namespace KpiControl.Agent.Secrets;

/// <summary>Where a secret is, never what it is: <c>env:NAME</c> or <c>file:/path</c>.</summary>
internal sealed record SecretReference(string Scheme, string Name)
{
    public static IReadOnlyList<string> Schemes { get; } = [EnvironmentSecrets.SchemeName, FileSecrets.SchemeName];

    /// <summary>Null where the text is no reference; it may then be a secret itself, so callers must not repeat it.</summary>
    public static SecretReference? Parse(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon <= 0 || colon == text.Length - 1)
            return null;
        var scheme = text[..colon];
        return Schemes.Contains(scheme) ? new SecretReference(scheme, text[(colon + 1)..]) : null;
    }

    public override string ToString() => $"{Scheme}:{Name}";
}
