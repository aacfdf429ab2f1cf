namespace KpiControl.Jobs.Artifacts;

/// <summary>How an artifact is written; the same schema and meaning underlie both.</summary>
public enum ArtifactFormat { Yaml, Json }

/// <summary>The formats' words: those of the wire and of <c>kpi_job_def.format</c>, and of file names.</summary>
public static class ArtifactFormats
{
    /// <summary><c>yaml</c> or <c>json</c>.</summary>
    public static string Word(this ArtifactFormat format) => format == ArtifactFormat.Json ? "json" : "yaml";

    public static bool TryParse(string? word, out ArtifactFormat format)
    {
        format = word == "json" ? ArtifactFormat.Json : ArtifactFormat.Yaml;
        return word is "yaml" or "json";
    }

    /// <summary><c>.json</c> is JSON, everything else is YAML.</summary>
    public static ArtifactFormat OfPath(string path) =>
        path.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? ArtifactFormat.Json : ArtifactFormat.Yaml;
}
