using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace KpiControl.Jobs.Artifacts.Text;

/// <summary>
/// YAML 1.2 to nodes with places, from the parser's events: nothing is constructed, so an alias has nothing to
/// multiply and a tag nothing to instantiate.
/// </summary>
internal sealed class YamlEventReader(string text, DocumentBounds bounds)
{
    private readonly Parser _events = new(new Scanner(new StringReader(text), skipComments: true));

    public ArtifactNode? Read()
    {
        try
        {
            return ReadStream();
        }
        catch (YamlException e)
        {
            bounds.Error("syntax.yaml", PlaceOf(e.Start), "Not YAML: " + e.Message.TrimEnd('.') + ".");
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or FormatException or OverflowException
                                      or IndexOutOfRangeException or NullReferenceException or InvalidCastException or KeyNotFoundException)
        {
            // The parser is the library's, the text is anybody's: a fault of the one on the other refuses the document and no more.
            bounds.Error("syntax.yaml", _events.Current is null ? TextPlace.Start : PlaceOf(_events.Current.Start), "Not YAML: the parser gave up near here.");
        }

        return null;
    }

    private ArtifactNode? ReadStream()
    {
        _events.MoveNext();
        _events.MoveNext();
        if (_events.Current is not DocumentStart start)
        {
            bounds.Error("syntax.empty", TextPlace.Start, "The document is empty.");
            return null;
        }

        CheckDirectives(start);
        _events.MoveNext();
        var root = ReadNode();
        if (root is null) return null;
        _events.MoveNext();
        if (_events.MoveNext() && _events.Current is DocumentStart next)
            bounds.Error("syntax.documents", PlaceOf(next.Start), "A second document begins here; an artifact is one document.", "Put each job into a file of its own.");
        return root;
    }

    private void CheckDirectives(DocumentStart start)
    {
        if (start.Version is { } version && version.Version is not { Major: 1, Minor: 2 })
            bounds.Error("syntax.directive", PlaceOf(version.Start), "Only %YAML 1.2 is read.", "Remove the directive.");
        if (start.Tags?.FirstOrDefault(t => (t.Handle, t.Prefix) is not (("!", "!") or ("!!", "tag:yaml.org,2002:"))) is { } tag)
            bounds.Error("syntax.directive", PlaceOf(tag.Start), "%TAG is not read.", "Remove the directive.");
    }

    private ArtifactNode? ReadNode()
    {
        var at = PlaceOf(_events.Current!.Start);
        if (!bounds.Enter(at, isContainer: _events.Current is MappingStart or SequenceStart)) return null;
        RefuseProperties(at);
        return _events.Current switch
        {
            MappingStart => ReadMapping(at),
            SequenceStart => ReadSequence(at),
            Scalar scalar => ReadScalar(scalar, at),
            _ => ArtifactNode.Null(at),
        };
    }

    private void RefuseProperties(TextPlace at)
    {
        if (_events.Current is AnchorAlias)
            bounds.Error("syntax.alias", at, "Aliases (*name) are not read.", "Write the value out.");
        if (_events.Current is not NodeEvent node) return;
        if (!node.Anchor.IsEmpty)
            bounds.Error("syntax.anchor", at, "Anchors (&name) are not read.", "Remove the anchor and write the value out where it is used.");
        if (!node.Tag.IsEmpty && !(node is Scalar && node.Tag == "tag:yaml.org,2002:str"))
            bounds.Error("syntax.tag", at, "Tags (!name) are not read.", "Remove the tag; a value in quotes is text.");
    }

    private ArtifactNode? ReadMapping(TextPlace at)
    {
        var members = new List<ArtifactMember>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (_events.MoveNext() && _events.Current is not MappingEnd)
        {
            var nameAt = PlaceOf(_events.Current!.Start);
            if (ReadName(nameAt) is not { } name) return null;
            var accepted = bounds.Accept(name, nameAt, seen);
            _events.MoveNext();
            bounds.Push(name);
            var value = ReadNode();
            bounds.Pop();
            if (value is null) return null;
            if (accepted) members.Add(new(name, nameAt, value));
        }

        return ArtifactNode.Of(members, at);
    }

    private string? ReadName(TextPlace at)
    {
        if (_events.Current is not Scalar name)
        {
            if (_events.Current is AnchorAlias) RefuseProperties(at);
            else bounds.Error("syntax.key", at, "A field name is text, not a list or an object.");
            return null;
        }

        RefuseProperties(at);
        bounds.CheckText(name.Value, at);
        if (name is { Style: ScalarStyle.Plain, Value: "<<" })
            bounds.Error("syntax.merge_key", at, "Merge keys (<<) are not read.", "Write the fields out.");
        else if (name is { Style: ScalarStyle.Plain, Tag.IsEmpty: true } && YamlScalars.KindOf(name.Value) != NodeKind.String)
            bounds.Error("syntax.key", at, "A field name is text; this one reads as a number, a truth value or nothing.", "Write it in quotes.");
        return name.Value;
    }

    private ArtifactNode? ReadSequence(TextPlace at)
    {
        var items = new List<ArtifactNode>();
        while (_events.MoveNext() && _events.Current is not SequenceEnd)
        {
            bounds.Push($"{items.Count}");
            var item = ReadNode();
            bounds.Pop();
            if (item is null) return null;
            items.Add(item);
        }

        return ArtifactNode.Of(items, at);
    }

    private ArtifactNode ReadScalar(Scalar scalar, TextPlace at)
    {
        bounds.CheckText(scalar.Value, at);
        var plain = scalar is { Style: ScalarStyle.Plain, Tag.IsEmpty: true };
        switch (plain ? YamlScalars.KindOf(scalar.Value) : NodeKind.String)
        {
            case NodeKind.Null: return ArtifactNode.Null(at);
            case NodeKind.Boolean: return ArtifactNode.Of(scalar.Value[0] is 't' or 'T', at);
            case NodeKind.Number:
                var survives = YamlScalars.TryNumber(scalar.Value, out var number);
                if (!survives) bounds.RefuseNumber(at);
                return ArtifactNode.Of(survives ? number : 0, at);
            default: return ArtifactNode.Of(scalar.Value, at);
        }
    }

    private static TextPlace PlaceOf(Mark mark) => new((int)Math.Max(1, mark.Line), (int)Math.Max(1, mark.Column));
}
