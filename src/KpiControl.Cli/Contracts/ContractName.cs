using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Contracts;

/// <summary>A contract version as people write it: <c>CFO-EF-02@1.1.0</c>.</summary>
internal static class ContractName
{
    public static string Of(Contract contract) => $"{contract.KpiId}@{contract.Version}";

    public static (string KpiId, string Version) Parse(string text) =>
        text.Split('@') is [{ Length: > 0 } kpi, { Length: > 0 } version]
            ? (kpi, version)
            : throw new Refusal($"'{text}' names no contract version", "give KPI@VERSION, such as CFO-EF-02@1.1.0 (kpictl contracts list)");
}
