using System.Buffers;
using System.Text.Unicode;

namespace KpiControl.Jobs.Artifacts.Text;

/// <summary>Bytes to text: size, strict UTF-8, no characters that hide what a document says.</summary>
internal static class ArtifactText
{
    public static string? Decode(ReadOnlySpan<byte> bytes, FindingList findings)
    {
        if (bytes.Length > ArtifactLimits.MaxBytes)
        {
            findings.Error("limits.size", TextPlace.Start, "", $"The document has {bytes.Length} bytes; at most {ArtifactLimits.MaxBytes} are read.");
            return null;
        }

        var chars = new char[bytes.Length];
        if (Utf8.ToUtf16(bytes, chars, out var read, out var written, replaceInvalidSequences: false) != OperationStatus.Done)
        {
            findings.Error("syntax.encoding", PlaceOf(chars.AsSpan(0, written)), "", $"Byte {read + 1} is not UTF-8.", "Save the document as UTF-8.");
            return null;
        }

        var text = new string(chars, 0, written);
        return RefuseForbidden(text, findings) ? null : text;
    }

    /// <summary>Strict: refuses what a string may hold and UTF-8 may not (half a surrogate pair).</summary>
    public static bool TryEncode(string text, FindingList findings, out byte[] bytes)
    {
        if (text.Length > ArtifactLimits.MaxBytes)
        {
            bytes = [];
            findings.Error("limits.size", TextPlace.Start, "", $"The document has {text.Length} characters; at most {ArtifactLimits.MaxBytes} bytes are read.");
            return false;
        }

        bytes = new byte[text.Length * 3];
        var status = Utf8.FromUtf16(text, bytes, out var read, out var written, replaceInvalidSequences: false);
        if (status != OperationStatus.Done)
        {
            findings.Error("syntax.encoding", PlaceOf(text.AsSpan(0, read)), "", "Half of a surrogate pair stands alone.", "Remove the broken character.");
            return false;
        }

        Array.Resize(ref bytes, written);
        return true;
    }

    /// <summary>The first forbidden character of a text or of a decoded string; -1 when there is none.</summary>
    public static int IndexOfForbidden(ReadOnlySpan<char> text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])) i++;
            else if (IsForbidden(text[i])) return i;
        }

        return -1;
    }

    /// <summary>
    /// Controls but tab and line ends; the line and paragraph separators, at which YAML versions and JSON disagree
    /// whether a line ends; the marks that reorder what a reviewer sees; the byte order mark; unpaired surrogates.
    /// </summary>
    private static bool IsForbidden(char c) =>
        c is < ' ' and not ('\t' or '\n' or '\r') or (>= '\u007f' and <= '\u009f')
            or '\u2028' or '\u2029' or (>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069')
            or '\ufeff' or '\ufffe' or '\uffff' or (>= '\ud800' and <= '\udfff');

    public static string NameOf(char c) => $"U+{(int)c:X4}";

    private static bool RefuseForbidden(string text, FindingList findings)
    {
        var at = IndexOfForbidden(text);
        if (at < 0) return false;
        findings.Error("syntax.control_character", PlaceOf(text.AsSpan(0, at)), "", $"The character {NameOf(text[at])} is not allowed in an artifact.", "Remove it.");
        return true;
    }

    /// <summary>The place just after <paramref name="before"/>.</summary>
    public static TextPlace PlaceOf(ReadOnlySpan<char> before) =>
        new(before.Count('\n') + 1, before.Length - before.LastIndexOf('\n'));
}
