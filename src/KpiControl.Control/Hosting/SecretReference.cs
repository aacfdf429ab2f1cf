namespace KpiControl.Control.Hosting;

/// <summary>A secret by reference: <c>env:NAME</c>, or <c>file:/path</c>, which is read at each use, so that a rotation counts at once.</summary>
internal static class SecretReference
{
    /// <returns>What is wrong with the reference, without what it leads to; null where it leads to something.</returns>
    public static string? Mistake(string reference)
    {
        if (reference.StartsWith("env:", StringComparison.Ordinal))
            return string.IsNullOrEmpty(Environment.GetEnvironmentVariable(reference[4..])) ? $"'{reference}' is not set" : null;
        if (!reference.StartsWith("file:", StringComparison.Ordinal))
            return "is not a reference: write env:NAME or file:/path, never the secret itself";
        if (!File.Exists(reference[5..]))
            return $"'{reference}' does not exist";
        return KeyFile.IsOpenToOthers(reference[5..]) ? $"'{reference}' is open to every user of this machine: chmod 600" : null;
    }

    /// <exception cref="InvalidOperationException">It leads nowhere.</exception>
    public static string Read(string reference) =>
        Mistake(reference) is { } mistake ? throw new InvalidOperationException(mistake)
        : reference.StartsWith("env:", StringComparison.Ordinal) ? Environment.GetEnvironmentVariable(reference[4..])!
        : File.ReadAllText(reference[5..]).TrimEnd('\r', '\n');
}
