using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;

namespace KpiControl.Jobs.Contracts;

/// <summary>Reads a contract of any type that the catalogue takes: of a KPI, of a GDP table or of a raw table, as its <c>header.contract_type</c> says.</summary>
/// <remarks>Pure; never throws, whatever the text.</remarks>
public static class CatalogReader
{
    public static CatalogReading Read(string text, ArtifactFormat format)
    {
        var findings = new FindingList();
        if (!ArtifactText.TryEncode(text, findings, out var bytes))
            return new CatalogReading { Findings = findings.ToList() };
        var root = DocumentReader.Read(bytes.AsSpan(), format, findings, out _);
        if (root is null || root["header"]?["contract_type"] is not { Kind: NodeKind.String } type || !ContractKind.OfDatasets.Contains(type.Text))
        {
            var kpi = ContractReader.Read(text, format);
            return new CatalogReading { Kpi = kpi.Contract, CanonicalJson = kpi.CanonicalJson, Digest = kpi.Digest, Findings = kpi.Findings };
        }
        var dataset = DatasetReader.Contract(root, findings);
        if (findings.HasErrors)
            return new CatalogReading { Findings = findings.ToList() };
        var canonical = Jcs.Write(ContractReader.WithoutStatus(root).ToJson());
        return new CatalogReading { Dataset = dataset, CanonicalJson = canonical, Digest = ContentHash.OfCanonicalJson(canonical), Findings = findings.ToList() };
    }
}

/// <summary>What came of reading a contract: one of the two where nothing is wrong with it, none otherwise.</summary>
public sealed record CatalogReading
{
    public MetricContract? Kpi { get; init; }
    public DatasetContract? Dataset { get; init; }
    /// <summary>As <see cref="ContractReading.CanonicalJson"/>.</summary>
    public string? CanonicalJson { get; init; }
    public string? Digest { get; init; }
    public required IReadOnlyList<Finding> Findings { get; init; }

    /// <summary>A word of <see cref="ContractKind"/>.</summary>
    public string Type => Dataset?.Type ?? ContractKind.Kpi;
    /// <summary>The KPI's id, or the table's name.</summary>
    public string Name => Dataset?.Dataset ?? Kpi!.KpiId;
    public string Version => Dataset?.Version ?? Kpi!.Version;
    public string ContractId => Dataset?.ContractId ?? Kpi!.ContractId;
    public string Status => Dataset?.Status ?? Kpi!.Status;
    public IReadOnlyList<string> Dependencies => Dataset?.Dependencies ?? [.. Kpi!.GdpDependencies, .. Kpi.KpiDependencies.Select(kpi => kpi.ToString())];
}
