using KpiControl.Jobs.Artifacts.Text;
using KpiControl.Jobs.Validation;

namespace KpiControl.Jobs.Artifacts;

/// <summary>Reads a job artifact: text to meaning, with everything that is wrong with it, in one call.</summary>
/// <remarks>Pure; never throws, whatever the text; time linear to its length.</remarks>
public static class ArtifactReader
{
    /// <param name="text">UTF-8, with or without a byte order mark.</param>
    /// <param name="format">YAML or JSON.</param>
    public static ArtifactReading Read(ReadOnlyMemory<byte> text, ArtifactFormat format)
    {
        var findings = new FindingList();
        var root = DocumentReader.Read(text.Span, format, findings);
        if (root is not null) SchemaValidator.Check(root, findings);
        if (root is null || findings.HasErrors) return new ArtifactReading { Findings = findings.ToList() };

        var canonical = CanonicalForm.Of(root);
        var json = Jcs.Write(canonical.ToJson());
        return new ArtifactReading
        {
            Job = JobArtifactBuilder.Build(canonical),
            CanonicalJson = json,
            ContentHash = ContentHash.OfCanonicalJson(json),
            Findings = findings.ToList(),
        };
    }

    public static ArtifactReading Read(string text, ArtifactFormat format)
    {
        var findings = new FindingList();
        return ArtifactText.TryEncode(text, findings, out var bytes) ? Read(bytes, format) : new ArtifactReading { Findings = findings.ToList() };
    }
}
