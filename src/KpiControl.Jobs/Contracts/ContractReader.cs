using System.Text.RegularExpressions;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;

namespace KpiControl.Jobs.Contracts;

/// <summary>Reads a metric contract: text to meaning, with everything that is wrong with it, in one call.</summary>
/// <remarks>Pure; never throws, whatever the text; the same limits as for job artifacts.</remarks>
public static partial class ContractReader
{
    public static readonly IReadOnlyList<string> Grains = ["day", "week", "month", "quarter", "year"];
    public static readonly IReadOnlyList<string> ExtensionCategories = ["time", "entity", "benchmark", "scenario", "analytical"];
    private static readonly IReadOnlyList<string> Layers = ["primary", "secondary", "composite"];

    public static ContractReading Read(string text, ArtifactFormat format)
    {
        var findings = new FindingList();
        return ArtifactText.TryEncode(text, findings, out var bytes) ? Read(bytes, format) : new ContractReading { Findings = findings.ToList() };
    }

    /// <param name="text">UTF-8, with or without a byte order mark.</param>
    public static ContractReading Read(ReadOnlyMemory<byte> text, ArtifactFormat format)
    {
        var findings = new FindingList();
        var root = DocumentReader.Read(text.Span, format, findings, out _);
        if (root is { Kind: not NodeKind.Object }) findings.Error("contract.type", root, "A metric contract is an object with header and payload.");
        var contract = root is null || findings.HasErrors ? null : Contract(root, findings);
        if (contract is null || findings.HasErrors) return new ContractReading { Findings = findings.ToList() };
        var canonical = Jcs.Write(WithoutStatus(root!).ToJson());
        return new ContractReading
        {
            Contract = contract, CanonicalJson = canonical, Digest = ContentHash.OfCanonicalJson(canonical), Findings = findings.ToList(),
        };
    }

    private static MetricContract Contract(ArtifactNode root, FindingList findings)
    {
        var document = new MemberReader(root, root, findings);
        var header = document.Object("header", required: true);
        var payload = document.Object("payload", required: true);
        document.WarnOfOthers();
        var contract = Header(header, findings) with
        {
            Grain = payload.Word("grain", Grains, required: true) ?? "",
            Dimensions = Fields(payload, "dimensions"),
            Filters = Fields(payload, "filters"),
            Metrics = [.. payload.Objects("metrics", required: true).Select(Metric)],
            Extensions = Extensions(payload, findings),
            FreshnessSlaMinutes = (int?)payload.Number("freshness_sla_minutes"),
            KeyDimensions = [.. payload.Texts("primary_key").Where(name => name != "period")],
            ExpressionText = Expression(payload.Object("expression")),
            PreValidation = [.. payload.Objects("pre_validation").Select(Rule)],
            PostValidation = [.. payload.Objects("post_validation").Select(Rule)],
        };
        payload.WarnOfOthers();
        ContractConsistency.Check(contract, header, payload, findings);
        return contract;
    }

    private static MetricContract Header(MemberReader header, FindingList findings)
    {
        header.Word("contract_type", [ContractKind.Kpi, .. ContractKind.OfDatasets], required: true);
        var dependencies = header.Items("dependencies", NodeKind.String);
        var kpis = dependencies.Where(node => node.Text.Contains('@', StringComparison.Ordinal)).ToList();
        foreach (var node in dependencies.Where(node => !(kpis.Contains(node) ? KpiAtVersion() : Table()).IsMatch(node.Text)))
            findings.Error("contract.dependency", node, "A dependency is a GDP table (GDP_Sales) or a KPI at a version (CHR-EM-01@1.0.0).");
        var contract = new MetricContract
        {
            ContractId = header.Text("contract_id", required: true) ?? "",
            KpiId = header.Text("kpi_id", KpiIdForm, required: true) ?? "",
            Version = header.Text("version", VersionForm, required: true) ?? "",
            Status = header.Word("status", ContractStatus.All) ?? ContractStatus.Draft,
            Layer = header.Word("layer", Layers) ?? (kpis.Count > 0 ? "secondary" : "primary"),
            OwnerTeam = header.Text("owner_team"), OwnerBusiness = header.Text("owner_business"), OwnerTechnical = header.Text("owner_technical"),
            LineageId = header.Text("lineage_id"), Classification = header.Text("classification"),
            GdpDependencies = [.. dependencies.Except(kpis).Select(node => node.Text)],
            KpiDependencies = [.. kpis.Select(node => node.Text.Split('@', 2)).Select(parts => new KpiReference(parts[0], parts[1]))],
            Grain = "", Metrics = [],
        };
        header.WarnOfOthers();
        return contract;
    }

    private static IReadOnlyList<ContractField> Fields(MemberReader payload, string name) => [.. payload.Objects(name).Select(Field)];

    internal static ContractField Field(MemberReader field)
    {
        var read = new ContractField(field.Text("name", ColumnForm, required: true) ?? "", field.Word("data_type", ContractTypes.All, required: true) ?? "");
        field.WarnOfOthers();
        return read;
    }

    private static ContractMetric Metric(MemberReader metric)
    {
        var read = new ContractMetric(metric.Text("name", ColumnForm, required: true) ?? "", metric.Text("metric_type"),
            metric.Word("data_type", ContractTypes.All) ?? "DOUBLE", metric.Text("unit"));
        metric.WarnOfOthers();
        return read;
    }

    private static Dictionary<string, IReadOnlyList<string>> Extensions(MemberReader payload, FindingList findings)
    {
        var extensions = payload.Object("extensions");
        foreach (var stranger in extensions.Members.Where(member => !ExtensionCategories.Contains(member.Name)))
            findings.Error("contract.extension_category", stranger.Value, $"The categories of extensions are {string.Join(", ", ExtensionCategories)}.");
        return extensions.Members.Where(member => ExtensionCategories.Contains(member.Name)).ToDictionary(m => m.Name, m => extensions.Texts(m.Name));
    }

    internal static string? Expression(MemberReader expression)
    {
        if (expression.Members.Count > 0) expression.Word("language", ["sql"], required: true);
        var text = expression.Text("text", required: expression.Members.Count > 0);
        expression.WarnOfOthers();
        return text;
    }

    private static ContractRule Rule(MemberReader rule)
    {
        var read = new ContractRule
        {
            RuleId = rule.Text("rule_id", ColumnForm, required: true) ?? "", Check = rule.Text("check", required: true) ?? "",
            Text = rule.Text("text"), Of = rule.Text("of") ?? "value", Min = rule.Number("min"), Max = rule.Number("max"), Message = rule.Text("message"),
        };
        rule.WarnOfOthers();
        return read;
    }

    internal static ArtifactNode WithoutStatus(ArtifactNode root) =>
        ArtifactNode.Of([.. root.Members.Select(m => m.Name != "header" ? m
            : m with { Value = ArtifactNode.Of([.. m.Value.Members.Where(h => h.Name != "status")], m.Value.Place) })], root.Place);

    internal static readonly TextForm ColumnForm = new(Column(), "Write a name of a-z, 0-9 and _ that begins with a letter, of at most 63 characters.");
    internal static readonly TextForm VersionForm = new(SemVer(), "Write a SemVer version, like 1.0.0, in quotes.");
    private static readonly TextForm KpiIdForm = new(KpiId(), "Write a name like CFO-EF-02: letters, digits, - _ and ., beginning with a letter, at most 128 characters.");

    [GeneratedRegex(@"^[a-z][a-z0-9_]{0,62}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Column();

    [GeneratedRegex(@"^[A-Za-z_][A-Za-z0-9_.]{0,127}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Table();

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9_.-]{0,127}\z", RegexOptions.CultureInvariant)]
    private static partial Regex KpiId();

    private const string SemVerPattern =
        @"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?\z";

    [GeneratedRegex("^" + SemVerPattern, RegexOptions.CultureInvariant)]
    private static partial Regex SemVer();

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9_.-]{0,127}@" + SemVerPattern, RegexOptions.CultureInvariant)]
    private static partial Regex KpiAtVersion();
}
