using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using Fluid;
using Fluid.Values;

namespace KpiControl.Jobs.Templates;

/// <summary>The one place that knows the template library. Its filters write values as YAML that reads back as the same values.</summary>
internal static partial class TemplateText
{
    private static readonly FluidParser Parser = new();
    private static readonly TemplateOptions Options = MakeOptions();

    // Escapes what JSON must and no more: YAML has no surrogate pairs in escapes.
    private static readonly JsonSerializerOptions Plainly = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <exception cref="InvalidOperationException">A template of ours is wrong: the tests fill every one.</exception>
    public static string Render(string text, IReadOnlyDictionary<string, object> model)
    {
        if (!Parser.TryParse(text, out var template, out var error)) throw new InvalidOperationException($"a template cannot be read: {error}");
        var context = new TemplateContext(Options);
        foreach (var (name, value) in model) context.SetValue(name, FluidValue.Create(value, Options));
        return template.Render(context, NullEncoder.Default);
    }

    private static TemplateOptions MakeOptions()
    {
        var options = new TemplateOptions { StrictFilters = true, StrictVariables = true };
        options.Filters.AddFilter("yaml", (input, _, _) => new StringValue(Yaml(input.ToObjectValue()), encode: false));
        options.Filters.AddFilter("slug", (input, _, _) => new StringValue(Slug(input.ToStringValue()), encode: false));
        return options;
    }

    internal static string Yaml(object? value) => value switch
    {
        string text when PlainText().IsMatch(text) && !Reserved().IsMatch(text) => text,
        IEnumerable<object> many => $"[{string.Join(", ", many.Select(item => Yaml(item is FluidValue fluid ? fluid.ToObjectValue() : item)))}]",
        _ => JsonSerializer.Serialize(value, Plainly),
    };

    /// <summary>A job's or a tenant's kind of name: lower-case letters, digits and <c>_</c>.</summary>
    internal static string Slug(string text) => Strange().Replace(text.ToLowerInvariant(), "_");

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9_]*(/[A-Za-z0-9_]+)*\z", RegexOptions.CultureInvariant)]
    private static partial Regex PlainText();

    // Of YAML 1.2's core schema and, for older readers, 1.1's.
    [GeneratedRegex("^(true|false|null|yes|no|on|off|y|n)$", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Reserved();

    [GeneratedRegex("[^a-z0-9_]+", RegexOptions.CultureInvariant)]
    private static partial Regex Strange();
}
