using System.Text;
using KpiControl.Jobs.Artifacts.Text;
using KpiControl.Jobs.Validation;

namespace KpiControl.Jobs.Artifacts;

/// <summary>Reads a job artifact: text to meaning, with everything that is wrong with it, in one call.</summary>
/// <remarks>
/// The stages that need no server: syntax, schema, meaning, what is not supported yet, secrets. Where the schema refuses
/// a part, the later stages look at the rest and leave out what would only follow from it. Pure; never throws,
/// whatever the text; time linear to its length; the same text always gets the same answer.
/// </remarks>
public static class ArtifactReader
{
    /// <param name="text">UTF-8, with or without a byte order mark.</param>
    /// <param name="format">YAML or JSON.</param>
    public static ArtifactReading Read(ReadOnlyMemory<byte> text, ArtifactFormat format)
    {
        var findings = new FindingList();
        var root = DocumentReader.Read(text.Span, format, findings, out var decoded);
        var reading = root is null ? Nothing : Understand(root, findings);
        SecretScan.Check(root, decoded, findings);
        return reading with { Findings = findings.ToList() };
    }

    public static ArtifactReading Read(string text, ArtifactFormat format)
    {
        var findings = new FindingList();
        return ArtifactText.TryEncode(text, findings, out var bytes) ? Read(bytes, format) : Nothing with { Findings = findings.ToList() };
    }

    /// <summary>A definition as it was stored. It was validated then and is not again: a year of slots takes its time where a thousand are read.</summary>
    /// <returns>Null where the text is no JSON.</returns>
    public static JobArtifact? ReadCanonical(string canonicalJson) =>
        DocumentReader.Read(Encoding.UTF8.GetBytes(canonicalJson), ArtifactFormat.Json, new FindingList(), out _) is { } root ? JobArtifactBuilder.Build(CanonicalForm.Of(root)) : null;

    private static ArtifactReading Nothing { get; } = new() { Findings = [] };

    private static ArtifactReading Understand(ArtifactNode root, FindingList findings)
    {
        var broken = SchemaValidator.Check(root, findings);
        if (broken.Sound(root) is not { } sound) return Nothing;

        findings.Broken = broken;
        var canonical = CanonicalForm.Of(sound);
        var job = JobArtifactBuilder.Build(canonical);
        MeaningRules.Check(job, sound, findings);
        UnsupportedRules.Check(job, sound, findings);
        findings.Broken = BrokenParts.None;
        if (broken.Any) return new ArtifactReading { Remains = job, Broken = broken, SoundRoot = sound, Findings = [] };
        var json = Jcs.Write(canonical.ToJson());
        return new ArtifactReading { Job = job, Remains = job, CanonicalJson = json, ContentHash = ContentHash.OfCanonicalJson(json), Findings = [] };
    }
}
