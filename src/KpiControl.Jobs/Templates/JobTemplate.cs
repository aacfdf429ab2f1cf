using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Jobs.Templates;

/// <summary>One thing that a template asks for.</summary>
/// <param name="Default">What it is where nothing is said, perhaps made from the contract; null: something must be said.</param>
public sealed record TemplateParameter(string Name, string Description, string? Default, bool IsInteger);

/// <summary>An artifact made from a template, with what validation says of it.</summary>
/// <param name="Text">YAML; null where the values did not suffice.</param>
/// <param name="Findings">Of the values (the path is <c>/NAME</c>) or, where there is a text, of that: stages 1–4 and 7.</param>
public sealed record FilledTemplate(string? Text, IReadOnlyList<Finding> Findings);

/// <summary>A start for a job: an artifact with holes, filled from a metric contract and a few values.</summary>
public sealed class JobTemplate
{
    private const string FilterPrefix = "filter.";
    private static readonly Lazy<IReadOnlyList<JobTemplate>> Embedded = new(Load);

    private readonly string _artifact;

    private JobTemplate(ArtifactNode root)
    {
        (Name, Description, _artifact) = (root["name"]!.Text, root["description"]!.Text, root["artifact"]!.Text);
        Parameters = [.. root["parameters"]!.Items.Select(p =>
            new TemplateParameter(p["name"]!.Text, p["description"]!.Text, p["default"]?.Text, p["type"]?.Text == "integer"))];
    }

    public string Name { get; }
    public string Description { get; }
    public IReadOnlyList<TemplateParameter> Parameters { get; }

    /// <summary>The files under <c>templates/</c>, in the order of their names.</summary>
    public static IReadOnlyList<JobTemplate> All => Embedded.Value;

    /// <summary>The value that filters by a field.</summary>
    public static string FilterOf(ContractField field) => FilterPrefix + field.Name;

    /// <summary>What a parameter is for a contract where nothing is said; null: something must be said.</summary>
    public static string? DefaultOf(TemplateParameter parameter, MetricContract contract) => Default(parameter, new Dictionary<string, object> { ["contract"] = TemplateModel.Of(contract, []) });

    public static JobTemplate? Find(string name) => All.FirstOrDefault(template => template.Name == name);

    /// <param name="values">By parameter; <c>filter.FIELD</c> filters by a field of the contract.</param>
    /// <param name="schema">Where an editor finds the JSON Schema: a URL or a path.</param>
    public FilledTemplate Fill(MetricContract contract, IReadOnlyDictionary<string, string> values, string schema = JobSchema.ServedAt)
    {
        var findings = new List<Finding>();
        var model = new Dictionary<string, object>
        {
            // Stands in a comment, which a line end would leave.
            ["schema"] = schema.ReplaceLineEndings(""),
            ["contract"] = TemplateModel.Of(contract, values.Keys.Where(IsFilter).Select(FieldOf)),
        };
        model["filters"] = values.Where(v => IsFilter(v.Key)).Select(v => Filter(FieldOf(v.Key), v.Value, contract, findings)).ToList<object>();
        foreach (var parameter in Parameters) model[parameter.Name] = Value(parameter, values, model, findings);
        foreach (var stranger in values.Keys.Where(key => !IsFilter(key) && Parameters.All(p => p.Name != key)))
            findings.Add(Wrong(stranger, $"The template {Name} has no parameter {stranger}.", $"It has: {string.Join(", ", Parameters.Select(p => p.Name))}, filter.FIELD."));
        if (findings.Count > 0) return new FilledTemplate(null, findings);
        var text = TemplateText.Render(_artifact, model);
        return new FilledTemplate(text, Validate(text, contract));
    }

    private static bool IsFilter(string key) => key.StartsWith(FilterPrefix, StringComparison.Ordinal);

    private static string FieldOf(string key) => key[FilterPrefix.Length..];

    private static Dictionary<string, object?> Filter(string name, string value, MetricContract contract, List<Finding> findings)
    {
        if (contract.FilterField(name) is not { } field)
            findings.Add(Wrong(FilterPrefix + name, $"The contract {contract.Reference} has no field {name} to filter by.",
                ContractCheck.Known(contract.Dimensions.Concat(contract.Filters).Select(known => known.Name))));
        else if (TemplateModel.ValueOf(field, value) is { } typed)
            return new() { ["field"] = name, ["value"] = typed };
        else findings.Add(Wrong(FilterPrefix + name, $"The value for {name} is not {field.DataType}.", $"Give {FilterPrefix}{name}={TemplateModel.ExampleOf(field)}, or the like."));
        return new() { ["field"] = name, ["value"] = "" };
    }

    private static string? Default(TemplateParameter parameter, Dictionary<string, object> model) => parameter.Default is { } made ? TemplateText.Render(made, model) : null;

    private object Value(TemplateParameter parameter, IReadOnlyDictionary<string, string> values, Dictionary<string, object> model, List<Finding> findings)
    {
        var text = values.GetValueOrDefault(parameter.Name) ?? Default(parameter, model);
        if (text is null)
            findings.Add(Wrong(parameter.Name, $"The template {Name} needs {parameter.Name}: {parameter.Description}", $"Give {parameter.Name}=…"));
        if (!parameter.IsInteger || text is null) return text ?? "";
        if (int.TryParse(text, out var number)) return number;
        findings.Add(Wrong(parameter.Name, $"{parameter.Name} is a whole number: {parameter.Description}", $"Give {parameter.Name}={parameter.Default ?? "1"}, or the like."));
        return 0;
    }

    private static List<Finding> Validate(string text, MetricContract contract)
    {
        var reading = ArtifactReader.Read(text, ArtifactFormat.Yaml);
        var against = reading.Job is { } job ? ContractCheck.Check(job, contract) : [];
        return [.. reading.Findings, .. FindingPlaces.Fill(against, System.Text.Encoding.UTF8.GetBytes(text), ArtifactFormat.Yaml)];
    }

    private static Finding Wrong(string name, string message, string hint) => new(JsonPointer.Segment(name), 0, 0, "template.parameter", Severity.Error, message, hint);

    private static IReadOnlyList<JobTemplate> Load()
    {
        var assembly = typeof(JobTemplate).Assembly;
        return [.. assembly.GetManifestResourceNames().Where(name => name.StartsWith("templates/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal).Select(name => new JobTemplate(Read(assembly.GetManifestResourceStream(name)!, name)))];
    }

    private static ArtifactNode Read(Stream file, string name)
    {
        using var bytes = new MemoryStream();
        using (file) file.CopyTo(bytes);
        var findings = new FindingList();
        return DocumentReader.Read(bytes.ToArray(), ArtifactFormat.Yaml, findings, out _)
            ?? throw new InvalidOperationException($"{name}: {string.Join("; ", findings.ToList().Select(f => f.Message))}");
    }
}
