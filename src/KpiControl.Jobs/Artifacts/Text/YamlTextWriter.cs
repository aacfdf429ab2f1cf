using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace KpiControl.Jobs.Artifacts.Text;

/// <summary>A tree as YAML in block style that every YAML reader, 1.1 or 1.2, takes the same way.</summary>
internal sealed partial class YamlTextWriter(Emitter emitter)
{
    public static string Write(ArtifactNode root)
    {
        using var text = new StringWriter { NewLine = "\n" };
        // No folding: a line break that a reader must take back out is one more thing to disagree on.
        var emitter = new Emitter(text, new EmitterSettings(bestIndent: 2, bestWidth: int.MaxValue, isCanonical: false, maxSimpleKeyLength: 1024, indentSequences: true, newLine: "\n"));
        emitter.Emit(new StreamStart());
        emitter.Emit(new DocumentStart(null, null, isImplicit: true));
        new YamlTextWriter(emitter).WriteNode(root);
        emitter.Emit(new DocumentEnd(isImplicit: true));
        emitter.Emit(new StreamEnd());
        return text.ToString();
    }

    private void WriteNode(ArtifactNode node)
    {
        switch (node.Kind)
        {
            case NodeKind.Object: WriteObject(node); break;
            case NodeKind.Array: WriteArray(node); break;
            case NodeKind.String: WriteText(node.Text); break;
            case NodeKind.Number: WritePlain(Jcs.Number(node.Number)); break;
            case NodeKind.Boolean: WritePlain(node.Boolean ? "true" : "false"); break;
            default: WritePlain("null"); break;
        }
    }

    private void WriteObject(ArtifactNode node)
    {
        emitter.Emit(new MappingStart(AnchorName.Empty, TagName.Empty, isImplicit: true, node.Members.Count == 0 ? MappingStyle.Flow : MappingStyle.Block));
        foreach (var member in node.Members)
        {
            WriteText(member.Name);
            WriteNode(member.Value);
        }

        emitter.Emit(new MappingEnd());
    }

    private void WriteArray(ArtifactNode node)
    {
        var flow = node.Items.All(i => i.Kind is not (NodeKind.Array or NodeKind.Object));
        emitter.Emit(new SequenceStart(AnchorName.Empty, TagName.Empty, isImplicit: true, flow ? SequenceStyle.Flow : SequenceStyle.Block));
        foreach (var item in node.Items) WriteNode(item);
        emitter.Emit(new SequenceEnd());
    }

    private void WriteText(string value) =>
        emitter.Emit(new Scalar(AnchorName.Empty, TagName.Empty, value, IsPlain(value) ? ScalarStyle.Plain : ScalarStyle.DoubleQuoted, isPlainImplicit: true, isQuotedImplicit: true));

    private void WritePlain(string value) =>
        emitter.Emit(new Scalar(AnchorName.Empty, TagName.Empty, value, ScalarStyle.Plain, isPlainImplicit: true, isQuotedImplicit: false));

    /// <summary>Words that begin with a letter, and that neither YAML 1.2 nor 1.1 (yes, no, on, off, y, n) takes for more than text.</summary>
    private static bool IsPlain(string value) =>
        Words().IsMatch(value) && YamlScalars.KindOf(value) == NodeKind.String
        && value.ToLowerInvariant() is not ("yes" or "no" or "on" or "off" or "y" or "n");

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9_./@+-]*( [A-Za-z0-9_./@+-]+)*\z", RegexOptions.CultureInvariant)]
    private static partial Regex Words();
}
