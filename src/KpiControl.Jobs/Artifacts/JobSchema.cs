namespace KpiControl.Jobs.Artifacts;

/// <summary>The JSON Schema of job artifacts: what editors, the console's form, kpictl and the server all read.</summary>
public static class JobSchema
{
    /// <summary>What a copy beside the artifacts is called; it is no artifact itself.</summary>
    public const string FileName = "kpi-job-1.0.json";
    /// <summary>Where a control plane serves it.</summary>
    public const string ServedAt = "/schemas/kpi-job/1.0.json";

    /// <summary>The schema file, as it stands in the repository.</summary>
    public static string Text { get; } = Load();

    /// <summary><c>sha256:…</c> of the file; runs record it.</summary>
    public static string Hash { get; } = ContentHash.Of(System.Text.Encoding.UTF8.GetBytes(Text));

    private static string Load()
    {
        using var file = typeof(JobSchema).Assembly.GetManifestResourceStream("kpi-job-1.0.json")!;
        using var reader = new StreamReader(file);
        return reader.ReadToEnd();
    }
}
