using System.Globalization;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Drift;

/// <summary>One artifact of a store as it was read; pure.</summary>
internal sealed record ReadArtifact
{
    private const int MostFindingsTold = 3, LongestProblem = 1000;

    public required string Path { get; init; }
    public required string Version { get; init; }
    public string? Commit { get; init; }
    public required string Format { get; init; }
    public string? JobId { get; init; }
    public string? ContentHash { get; init; }
    public string? RawSha256 { get; init; }
    public string? Content { get; init; }
    /// <summary>invalid or unreadable; null: neither.</summary>
    public string? Fault { get; init; }
    public string? Problem { get; init; }

    public static ReadArtifact Of(Stores.StoreEntry entry, string? commit, byte[] bytes, string tenant)
    {
        var artifact = Blank(entry, commit) with { RawSha256 = Jobs.Artifacts.ContentHash.Of(bytes) };
        if (bytes.Length > ArtifactLimits.MaxBytes)
            return artifact with { RawSha256 = null, Fault = "invalid", Problem = $"is larger than {ArtifactLimits.MaxBytes / 1024} KiB, which no artifact is" };
        var reading = ArtifactReader.Read(bytes, ArtifactFormats.OfPath(entry.Path));
        artifact = artifact with { JobId = reading.Remains?.JobId is { Length: > 0 } job ? job : null, ContentHash = reading.ContentHash };
        if (!reading.IsValid)
            return artifact with { Fault = "invalid", Problem = Words(reading.Findings) };
        return reading.Job!.Tenant == tenant ? artifact with { Content = System.Text.Encoding.UTF8.GetString(bytes) }
            // Whose it is is nobody's business here.
            : artifact with { JobId = null, ContentHash = null, Fault = "invalid", Problem = $"is not an artifact of the tenant {tenant}, whose store this is" };
    }

    public static ReadArtifact Unreadable(Stores.StoreEntry entry, string? commit, string why) => Blank(entry, commit) with { Fault = "unreadable", Problem = Short(why) };

    private static ReadArtifact Blank(Stores.StoreEntry entry, string? commit) =>
        new() { Path = entry.Path, Version = entry.Version, Commit = commit, Format = ArtifactFormats.OfPath(entry.Path).Word() };

    private static string Words(IReadOnlyList<Finding> findings)
    {
        var errors = findings.Where(finding => finding.Severity == Severity.Error).ToList();
        var told = errors.Take(MostFindingsTold).Select(finding => string.Create(CultureInfo.InvariantCulture, $"line {finding.Line}: {finding.Message} [{finding.Rule}]"));
        return Short(string.Join("; ", told) + (errors.Count > MostFindingsTold ? string.Create(CultureInfo.InvariantCulture, $"; and {errors.Count - MostFindingsTold} more") : ""));
    }

    private static string Short(string text) => text.Replace('\0', '?') is { Length: > LongestProblem } longer ? longer[..LongestProblem] : text.Replace('\0', '?');
}
