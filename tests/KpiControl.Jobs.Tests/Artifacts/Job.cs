using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Tests.Artifacts;

/// <summary>A small valid job, and readings of it with something added or replaced.</summary>
internal static class Job
{
    public const string Head = "job_id: a\ntenant: acme\nkpi_id: K-1\ncontract_version: 1.0.0\n";
    public const string Manual = Head + "schedule: { type: manual }\n";

    public static ArtifactReading Yaml(string text) => ArtifactReader.Read(text, ArtifactFormat.Yaml);

    public static ArtifactReading Json(string text) => ArtifactReader.Read(text, ArtifactFormat.Json);

    /// <summary>A valid manual job and more lines at the top level.</summary>
    public static ArtifactReading With(string lines) => Yaml(Manual + lines);

    /// <summary>A cron job and more lines at the top level.</summary>
    public static ArtifactReading Cron(string expression, string lines = "", string schedule = "") =>
        Yaml($"{Head}schedule: {{ type: cron, expression: \"{expression}\"{schedule} }}\n{lines}");

    public static string Hash(ArtifactReading reading)
    {
        Assert.NotNull(reading.ContentHash);
        return reading.ContentHash;
    }

    /// <summary>Exactly one error, of this rule.</summary>
    public static Finding Only(string rule, ArtifactReading reading)
    {
        var finding = Assert.Single(reading.Findings, f => f.Severity == Severity.Error);
        Assert.Equal(rule, finding.Rule);
        return finding;
    }
}
