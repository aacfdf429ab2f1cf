using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;
using KpiControl.Jobs.Validation;

namespace KpiControl.Jobs.Tests.Artifacts;

public sealed class SchemaTests(AjvFixture ajv) : IClassFixture<AjvFixture>
{
    private static readonly string[] Annotations = ["$schema", "$comment", "title", "description", "default"];
    private static readonly string[] Structure = ["$ref", "definitions", "properties"];

    /// <summary>For every keyword that the schema uses, documents that break nothing else.</summary>
    private static readonly (string Keyword, string Line)[] Bad =
    [
        ("type", "timeout: 900"), ("type", "labels: { a: b }"), ("type", "run: [kpi]"), ("type", "retry: { max_retries: \"3\" }"), ("type", "retry: { max_retries: 1.5 }"),
        ("type", "labels: [a, null]"), ("type", "alerts: [slack]"), ("type", "sla: { freshness: 24 }"), ("type", "runtime: { filters: [{ field: a, op: in, value: [[1]] }] }"),
        ("required", "alerts: [{ channel: \"slack:#a\" }]"), ("required", "dependencies: { kpis: [{ kpi_id: K }] }"), ("required", "sla: { latency: { grace: 1m } }"),
        ("additionalProperties", "timeuot: 15m"), ("additionalProperties", "run: { x-note: 1 }"), ("additionalProperties", "sla: { freshness: { target: 1h, warn: 1h } }"),
        ("additionalProperties", "dependencies: { max_age: { GDP_A: never } }"), ("patternProperties", "X-note: 1"), ("patternProperties", "x-: 1"),
        ("items", "labels: [\"\"]"), ("items", "runtime: { extensions: { time: [\"M M\"] } }"),
        ("enum", "criticality: urgent"), ("enum", "run: { stage_set: [kpi, cooked] }"), ("enum", "retry: { backoff: Fixed }"),
        ("pattern", "timeout: 15 m"), ("pattern", "timeout: 1m1h"), ("pattern", "timeout: P1M"), ("pattern", "timeout: PT"), ("pattern", "timeout: \"\""), ("pattern", "timeout: \"15m\\n\""),
        ("pattern", "sla: { availability: \"24:00\" }"), ("pattern", "alerts: [{ channel: \"sms:1\", severity: low }]"), ("pattern", "run: { conn_id: \"a b\" }"),
        ("minimum", "run: { priority: 0 }"), ("minimum", "runtime: { time: { range: { type: relative, last_n: 0 } } }"), ("maximum", "run: { priority: 6 }"), ("maximum", "retry: { max_retries: 21 }"),
        ("minLength", "owners: { business: \"\" }"), ("maxLength", $"owners: {{ business: {new string('a', 201)} }}"),
        ("minItems", "runtime: { filters: [{ field: a, op: in, value: [] }] }"), ("maxItems", "run: { stage_set: [kpi, kpi, kpi, kpi, kpi] }"),
    ];

    [Fact]
    public void Every_keyword_that_the_schema_uses_is_enforced()
    {
        var used = Keywords(JsonNode.Parse(JobSchema.Text)!).Except(Annotations).Except(Structure).Order().Distinct();
        Assert.Equal(Bad.Select(b => b.Keyword).Order().Distinct(), used);
        Assert.All(Bad, bad => Assert.False(Accepts(bad.Line), bad.Line));
        Assert.True(Accepts("timeout: 15m"));
    }

    [Fact]
    public void A_bad_document_has_one_finding_with_its_place()
    {
        Assert.All(Bad, bad =>
        {
            var finding = Assert.Single(Job.With(bad.Line).Findings);
            Assert.StartsWith("schema.", finding.Rule, StringComparison.Ordinal);
            Assert.Equal(6, finding.Line);
            Assert.True(finding.Column >= 1 && finding.Path.StartsWith('/'));
        });
    }

    [Fact]
    public void Ajv_agrees_on_the_bad_documents_and_on_the_vectors()
    {
        var bad = Bad.Select(b => AsJson(Job.Manual + b.Line)).ToList();
        Assert.All(ajv.Verdicts(bad).Zip(Bad), v => Assert.False(v.First, v.Second.Line));
        var vectors = VectorTests.Spellings.Select(s => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Vectors", s.Data)));
        Assert.DoesNotContain(false, ajv.Verdicts(vectors.Select(AsJson)));
    }

    [Fact]
    public void Ajv_agrees_on_jobs_at_random_and_on_damaged_ones()
    {
        var random = new Random(20261124);
        var documents = Enumerable.Range(0, 1_500).Select(i => i % 4 == 0 ? RandomJob.Make(random) : Damage.Do(RandomJob.Make(random), random)).Select(d => d?.ToJsonString() ?? "null").ToList();

        var theirs = ajv.Verdicts(documents);

        Assert.Equal(documents.Count, theirs.Count);
        Assert.InRange(theirs.Count(v => v), documents.Count / 10, documents.Count * 9 / 10);
        Assert.All(documents.Zip(theirs), d => Assert.True(Accepts(d.First, ArtifactFormat.Json) == d.Second, $"ajv says {d.Second}: {d.First}"));
    }

    [Fact]
    public void The_schema_states_the_defaults_of_the_table_and_no_others()
    {
        var stated = Defaults(JsonNode.Parse(JobSchema.Text)!, "").ToDictionary(d => d.Pointer, d => d.Json);
        Assert.Equal(JobFields.All.Where(f => f.Default is not null).Select(f => f.Pointer).Order(), stated.Keys.Order());
        Assert.All(JobFields.All.Where(f => f.Default is not null), f => Assert.Equal(f.Default, Canonical(f, stated[f.Pointer])));
    }

    [Theory]
    [InlineData("timeuot: 15m", "/timeuot", "Did you mean timeout?")]
    [InlineData("run: { con_id: a }", "/run/con_id", "Did you mean conn_id?")]
    [InlineData("retry: { maxRetries: 3 }", "/retry/maxRetries", "Did you mean max_retries?")]
    [InlineData("criticality: hihg", "/criticality", "Did you mean high?")]
    [InlineData("owners: { finance: ann }", "/owners/finance", "Known here: business, technical.")]
    [InlineData("run: { x-note: 1 }", "/run/x-note", "x-… fields stand at the top level and begin with x- and a letter or digit.")]
    public void A_slip_names_what_was_meant(string line, string path, string hint)
    {
        var finding = Job.With(line).Findings[0];
        Assert.Equal((path, hint), (finding.Path, finding.Hint));
    }

    [Fact]
    public void All_that_is_wrong_is_said_at_once()
    {
        var rules = Job.Yaml("job_id: A\ntenent: acme\nkpi_id: K\ncontract_version: 1.0\nschedule: { type: cron, overlap: maybe }\n").Findings.Select(f => $"{f.Rule} {f.Path}").Order();
        Assert.Equal(["meaning.expression /schedule", "schema.enum /schedule/overlap", "schema.pattern /job_id", "schema.required /tenant", "schema.type /contract_version", "schema.unknown_field /tenent"], rules);
    }

    private static bool Accepts(string line) => Accepts(Job.Manual + line, ArtifactFormat.Yaml);

    private static bool Accepts(string text, ArtifactFormat format)
    {
        var findings = new FindingList();
        var root = DocumentReader.Read(System.Text.Encoding.UTF8.GetBytes(text), format, findings, out _);
        Assert.True(root is not null, text);
        SchemaValidator.Check(root, findings);
        return !findings.HasErrors;
    }

    private static string AsJson(string yamlOrJson) =>
        JsonNode.Parse(ArtifactConverter.Convert(yamlOrJson, ArtifactFormat.Yaml, ArtifactFormat.Json).Text!)!.ToJsonString();

    private static IEnumerable<string> Keywords(JsonNode schema) => schema is not JsonObject members ? [] : members.SelectMany(m => m.Key switch
    {
        "properties" or "definitions" or "patternProperties" => m.Value!.AsObject().SelectMany(p => Keywords(p.Value!)).Append(m.Key),
        "items" or "additionalProperties" => Keywords(m.Value!).Append(m.Key),
        _ => [m.Key],
    });

    private static IEnumerable<(string Pointer, string Json)> Defaults(JsonNode schema, string pointer)
    {
        if (schema["default"] is { } value) yield return (pointer, value.ToJsonString());
        foreach (var (name, member) in schema["properties"]?.AsObject() ?? [])
            foreach (var found in Defaults(member!, $"{pointer}/{name}")) yield return found;
        if (schema["items"] is { } items)
            foreach (var found in Defaults(items, pointer + "/*")) yield return found;
    }

    private static string Canonical(JobField field, string json) => field.Kind switch
    {
        FieldKind.Duration => $"\"{Durations.Canonical(JsonNode.Parse(json)!.GetValue<string>())}\"",
        FieldKind.Set => Jcs.Write(new JsonArray([.. JsonNode.Parse(json)!.AsArray().Select(i => i!.DeepClone()).OrderBy(i => i.ToJsonString(), StringComparer.Ordinal)])),
        _ => json,
    };
}
