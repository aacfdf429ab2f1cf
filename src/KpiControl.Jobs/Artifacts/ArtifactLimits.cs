namespace KpiControl.Jobs.Artifacts;

/// <summary>What a document may cost its reader; beyond it the document is refused.</summary>
public static class ArtifactLimits
{
    public const int MaxBytes = 256 * 1024;
    public const int MaxDepth = 32;
    public const int MaxNodes = 10_000;
    public const int MaxNameLength = 256;
    public const int MaxFindings = 100;
}
