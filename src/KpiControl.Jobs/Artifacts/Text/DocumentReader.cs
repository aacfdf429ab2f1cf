using System.Text;

namespace KpiControl.Jobs.Artifacts.Text;

/// <summary>Hostile text of either format to one tree, in time linear to its length; never throws.</summary>
internal static class DocumentReader
{
    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    public static ArtifactNode? Read(ReadOnlySpan<byte> bytes, ArtifactFormat format, FindingList findings)
    {
        if (bytes.StartsWith(ByteOrderMark)) bytes = bytes[ByteOrderMark.Length..];
        if (ArtifactText.Decode(bytes, findings) is not { } text) return null;
        if (string.IsNullOrWhiteSpace(text))
        {
            findings.Error("syntax.empty", TextPlace.Start, "", "The document is empty.");
            return null;
        }

        var bounds = new DocumentBounds(findings);
        var root = format == ArtifactFormat.Json ? new JsonTextReader(bytes, bounds).Read() : new YamlEventReader(text, bounds).Read();
        return findings.HasErrors ? null : root;
    }
}
