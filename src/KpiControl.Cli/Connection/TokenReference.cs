namespace KpiControl.Cli.Connection;

/// <summary>A token as a configuration file names it: <c>env:NAME</c> or <c>file:PATH</c>, never its text.</summary>
internal static class TokenReference
{
    public static string? Resolve(string reference, string source, Surroundings world)
    {
        if (reference.StartsWith("env:", StringComparison.Ordinal))
            return world.Set(reference["env:".Length..])
                ?? throw new Refusal($"the token's variable {reference["env:".Length..]} ({source}) is not set", $"export {reference["env:".Length..]}=…", ExitCode.NotAuthenticated);
        if (reference.StartsWith("file:", StringComparison.Ordinal))
            return FromFile(HomePath.Expand(reference["file:".Length..], world), source);
        throw new Refusal($"the token of {source} must be a reference, not the token itself", "write token: env:NAME or token: file:PATH");
    }

    private static string FromFile(string path, string source)
    {
        try
        {
            return File.ReadAllText(path).Trim() is { Length: > 0 } token
                ? token
                : throw new Refusal($"the token file {path} ({source}) is empty", "write a fresh token into it", ExitCode.NotAuthenticated);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new Refusal($"the token file {path} ({source}) cannot be read", "check that it exists and is yours", ExitCode.NotAuthenticated);
        }
    }
}
