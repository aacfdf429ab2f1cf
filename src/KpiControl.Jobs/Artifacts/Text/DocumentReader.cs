namespace KpiControl.Jobs.Artifacts.Text;

/// <summary>Text of either format to one tree, in time linear to its length; never throws.</summary>
internal static class DocumentReader
{
    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <param name="text">The decoded text, empty where it is none; the tree is null where the text is no document.</param>
    public static ArtifactNode? Read(ReadOnlySpan<byte> bytes, ArtifactFormat format, FindingList findings, out string text)
    {
        if (bytes.StartsWith(ByteOrderMark)) bytes = bytes[ByteOrderMark.Length..];
        text = ArtifactText.Decode(bytes, findings) ?? "";
        if (findings.HasErrors) return null;
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
