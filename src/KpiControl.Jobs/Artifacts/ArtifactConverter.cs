using System.Text.Encodings.Web;
using System.Text.Json;
using KpiControl.Jobs.Artifacts.Text;

namespace KpiControl.Jobs.Artifacts;

/// <param name="Text">The same document in the other format; null where <paramref name="Findings"/> say why it cannot be read.</param>
/// <param name="Findings">The stage syntax alone: an unfinished artifact converts too.</param>
public sealed record ArtifactConversion(string? Text, IReadOnlyList<Finding> Findings);

/// <summary>YAML to JSON and back. The content hash stays: members keep their order and spelling; comments and styles are lost.</summary>
public static class ArtifactConverter
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = ArtifactLimits.MaxDepth + 2 };

    public static ArtifactConversion Convert(ReadOnlyMemory<byte> text, ArtifactFormat from, ArtifactFormat to)
    {
        var findings = new FindingList();
        var root = DocumentReader.Read(text.Span, from, findings, out _);
        if (root is null) return new ArtifactConversion(null, findings.ToList());
        root = CanonicalForm.WithVersionAsText(root);
        return new ArtifactConversion(to == ArtifactFormat.Json ? ToJson(root) : YamlTextWriter.Write(root), findings.ToList());
    }

    public static ArtifactConversion Convert(string text, ArtifactFormat from, ArtifactFormat to)
    {
        var findings = new FindingList();
        return ArtifactText.TryEncode(text, findings, out var bytes) ? Convert(bytes, from, to) : new ArtifactConversion(null, findings.ToList());
    }

    private static string ToJson(ArtifactNode root) => (root.ToJson()?.ToJsonString(Indented) ?? "null") + "\n";
}
