using System.Text.RegularExpressions;
using KpiControl.Jobs.Artifacts.Text;
using KpiControl.Jobs.Validation;

namespace KpiControl.Jobs.Contracts;

/// <summary>Takes the members of one object by name, type and pattern, and reports all that does not fit.</summary>
/// <param name="family">What its rules' names begin with.</param>
internal sealed class MemberReader(ArtifactNode? owner, ArtifactNode root, FindingList findings, string family = "contract")
{
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);

    /// <summary>The object itself, or the nearest thing to point at where it is missing.</summary>
    public ArtifactNode At => owner ?? root;

    public ArtifactNode? this[string name]
    {
        get
        {
            _asked.Add(name);
            return owner?[name] is { Kind: not NodeKind.Null } value ? value : null;
        }
    }

    public string? Text(string name, TextForm? form = null, bool required = false)
    {
        if (this[name] is not { } node) return Missing(name, required);
        if (node.Kind != NodeKind.String)
        {
            findings.Error(Named("contract.type"), node, $"{name} is not text.", "Write it in quotes.");
            return null;
        }
        if (form is null ? node.Text.Length > 0 : form.Pattern.IsMatch(node.Text)) return node.Text;
        findings.Error(Named("contract.pattern"), node, $"{name} is not written as expected.", form?.Hint ?? "Write something, or leave it out.");
        return null;
    }

    public string? Word(string name, IReadOnlyList<string> words, bool required = false)
    {
        if (Text(name, null, required) is not { } text) return null;
        if (words.Contains(text)) return text;
        var nearest = NearestName.Of(text, words) is { } meant ? $"Did you mean {meant}?" : "";
        findings.Error(Named("contract.word"), this[name]!, $"{name} must be one of {string.Join(", ", words)}.", nearest);
        return null;
    }

    public double? Number(string name)
    {
        if (this[name] is not { } node) return null;
        if (node.Kind == NodeKind.Number) return node.Number;
        findings.Error(Named("contract.type"), node, $"{name} is not a number.");
        return null;
    }

    public IReadOnlyList<ArtifactNode> Items(string name, NodeKind kind, bool required = false)
    {
        if (this[name] is not { } node)
        {
            Missing(name, required);
            return [];
        }
        if (node.Kind != NodeKind.Array) findings.Error(Named("contract.type"), node, $"{name} is not a list.");
        foreach (var stranger in node.Items.Where(item => item.Kind != kind))
            findings.Error(Named("contract.type"), stranger, $"An entry of {name} is not {(kind == NodeKind.String ? "text" : "an object")}.");
        return [.. node.Items.Where(item => item.Kind == kind)];
    }

    public IReadOnlyList<string> Texts(string name) => [.. Items(name, NodeKind.String).Select(item => item.Text)];

    public MemberReader Object(string name, bool required = false)
    {
        var node = this[name];
        if (node is null) Missing(name, required);
        else if (node.Kind != NodeKind.Object) findings.Error(Named("contract.type"), node, $"{name} is not an object.");
        return new MemberReader(node is { Kind: NodeKind.Object } ? node : null, At, findings, family);
    }

    public IReadOnlyList<MemberReader> Objects(string name, bool required = false) =>
        [.. Items(name, NodeKind.Object, required).Select(item => new MemberReader(item, item, findings, family))];

    public IReadOnlyList<ArtifactMember> Members => owner?.Members ?? [];

    /// <summary>Contracts are the platform's: what this product does not know is kept, and named once.</summary>
    public void WarnOfOthers()
    {
        foreach (var member in Members.Where(m => !_asked.Contains(m.Name) && !m.Name.StartsWith("x-", StringComparison.Ordinal)))
            findings.Warn(Named("contract.unknown_field"), member.Value, $"{member.Name} is kept and not used.",
                NearestName.Of(member.Name, _asked) is { } meant ? $"Did you mean {meant}?" : "");
    }

    /// <summary>Where what is not known would otherwise be without effect: an error.</summary>
    public void RefuseOthers()
    {
        foreach (var member in Members.Where(m => !_asked.Contains(m.Name) && !m.Name.StartsWith("x-", StringComparison.Ordinal)))
            findings.Error(Named("contract.unknown_field"), member.Value, $"There is no field {member.Name} here.",
                NearestName.Of(member.Name, _asked) is { } meant ? $"Did you mean {meant}?" : $"Known are {string.Join(", ", _asked.Order(StringComparer.Ordinal))}.");
    }

    private string Named(string rule) => family + rule[rule.IndexOf('.', StringComparison.Ordinal)..];

    private string? Missing(string name, bool required)
    {
        if (required && At.Kind == NodeKind.Object)
            findings.Error(Named("contract.required"), At.Place, At.Pointer + JsonPointer.Segment(name), $"{name} is missing.", $"Add {name}.");
        return null;
    }
}

/// <summary>How a text may be written.</summary>
/// <param name="Hint">The same for people: "Write …".</param>
internal sealed record TextForm(Regex Pattern, string Hint);
