namespace KpiControl.Agent.ControlPlane;

/// <summary>The agent's token, read from where its reference points at each connect; never kept, never logged.</summary>
internal static class BearerToken
{
    public static bool IsReference(string reference) =>
        reference.StartsWith("file:", StringComparison.Ordinal) || reference.StartsWith("env:", StringComparison.Ordinal);

    /// <summary>The token, or in plain words why there is none.</summary>
    public static (string? Token, string Problem) Read(string reference)
    {
        try
        {
            var token = reference.StartsWith("env:", StringComparison.Ordinal)
                ? Environment.GetEnvironmentVariable(reference["env:".Length..]) ?? ""
                : File.ReadAllText(reference["file:".Length..]);
            if (reference.StartsWith("file:", StringComparison.Ordinal) && KeyFile.IsOpenToOthers(reference["file:".Length..]))
                return (null, $"{reference} is open to every user of this machine: chmod 600 (or 640) it");
            token = token.Trim();
            return token.Length == 0 ? (null, $"{reference} is empty")
                : token.Any(c => c is <= ' ' or > '~') ? (null, $"{reference} does not hold a token: it has characters that no token has")
                : (token, "");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return (null, $"{reference} cannot be read ({e.Message})");
        }
    }
}
