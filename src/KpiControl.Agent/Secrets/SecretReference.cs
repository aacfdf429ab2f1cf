using System.Text.RegularExpressions;

namespace KpiControl.Agent.Secrets;

/// <summary>Where a secret is, never what it is: <c>env:NAME</c>, <c>file:/path</c>, or its place in a store.</summary>
internal sealed partial record SecretReference(string Scheme, string Name)
{
    private static readonly (string Scheme, string Shape, Regex Name)[] Known =
    [
        (EnvironmentSecrets.SchemeName, "env:NAME", AnyName()),
        (FileSecrets.SchemeName, "file:/path", AnyName()),
        (Stores.VaultSecrets.SchemeName, "vault:MOUNT/PATH#FIELD", VaultName()),
        (Stores.AzureKeyVaultSecrets.SchemeName, "azure-key-vault:NAME", AzureName()),
        (Stores.AwsSecrets.SchemeName, "aws-secrets-manager:NAME#FIELD", AwsName()),
    ];

    /// <summary>Every known scheme, in the shape in which its references are written.</summary>
    public static IReadOnlyList<string> Shapes { get; } = [.. Known.Select(one => one.Shape)];

    /// <summary>What stands behind the last <c>#</c>; empty without one.</summary>
    public string Field => Name.LastIndexOf('#') is >= 0 and var at ? Name[(at + 1)..] : "";

    /// <summary>The name without its field.</summary>
    public string Place => Name.LastIndexOf('#') is >= 0 and var at ? Name[..at] : Name;

    /// <summary>Null where the text is no reference; it may then be a secret itself, so callers must not repeat it.</summary>
    public static SecretReference? Parse(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 && Known.Any(one => one.Scheme == text[..colon] && one.Name.IsMatch(text[(colon + 1)..]))
            ? new SecretReference(text[..colon], text[(colon + 1)..]) : null;
    }

    public override string ToString() => $"{Scheme}:{Name}";

    [GeneratedRegex(@"^.+\z")]
    private static partial Regex AnyName();

    // No segment of dots alone: it would lead to another place than the one that is written.
    [GeneratedRegex(@"^(?!.*(?:^|/)\.{1,2}(?:/|#))[^/#\s?]+(?:/[^/#\s?]+)+#[^#\s]+\z")]
    private static partial Regex VaultName();

    [GeneratedRegex(@"^[0-9A-Za-z-]{1,127}(?:/[0-9A-Fa-f]{32})?\z")]
    private static partial Regex AzureName();

    [GeneratedRegex(@"^[0-9A-Za-z/_+=.@:-]{1,2048}(?:#[^#\s]+)?\z")]
    private static partial Regex AwsName();
}
