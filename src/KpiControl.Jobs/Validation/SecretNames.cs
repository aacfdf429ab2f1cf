namespace KpiControl.Jobs.Validation;

/// <summary>Values that are taken for secrets because of the name they stand under.</summary>
internal static class SecretNames
{
    private static readonly string[] Passwords = ["password", "passwd", "pwd", "passphrase"];
    private static readonly string[] Others = ["secret", "token", "apikey", "accesskey", "privatekey", "signingkey", "credential", "authorization", "bearer", "connectionstring"];
    private static readonly string[] References = ["env:", "file:", "vault:", "azure-key-vault:", "aws-secrets-manager:", "${", "{{"];

    /// <summary>A random key has about 4 bits a character and more, words have fewer.</summary>
    private const double LeastEntropy = 3.0;
    private const int ShortestKey = 12;

    public static bool Betrays(string name, string value)
    {
        if (value.Length == 0 || References.Any(r => value.StartsWith(r, StringComparison.Ordinal))) return false;
        var bare = new string([.. name.Where(char.IsAsciiLetterOrDigit)]).ToLowerInvariant();
        if (Passwords.Any(p => bare.Contains(p, StringComparison.Ordinal))) return true;
        return Others.Any(o => bare.Contains(o, StringComparison.Ordinal))
            && value.Length >= ShortestKey && !value.Any(char.IsWhiteSpace) && Entropy(value) >= LeastEntropy;
    }

    /// <summary>Shannon's, in bits a character.</summary>
    private static double Entropy(string text) =>
        -text.GroupBy(c => c).Sum(g => g.Count() / (double)text.Length * Math.Log2(g.Count() / (double)text.Length));
}
