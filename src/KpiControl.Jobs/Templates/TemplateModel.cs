using System.Globalization;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Jobs.Templates;

/// <summary>What a template sees of a metric contract.</summary>
internal static class TemplateModel
{
    /// <param name="filtered">Fields that get a filter; the others that may have one are shown as comments.</param>
    public static Dictionary<string, object> Of(MetricContract contract, IEnumerable<string> filtered) => new()
    {
        ["kpi_id"] = contract.KpiId,
        ["version"] = contract.Version,
        ["gdp"] = contract.GdpDependencies.ToList<object>(),
        ["kpis"] = contract.KpiDependencies.Select(kpi => new Dictionary<string, object>
        {
            ["kpi_id"] = kpi.KpiId, ["contract_version"] = kpi.ContractVersion,
        }).ToList<object>(),
        ["freshness"] = Durations.Format(TimeSpan.FromMinutes(contract.FreshnessSlaMinutes ?? 24 * 60)),
        ["time_extensions"] = (contract.Extensions.GetValueOrDefault("time") ?? []).ToList<object>(),
        ["open_filters"] = contract.Filters.ExceptBy(filtered, field => field.Name).Select(field => new Dictionary<string, object>
        {
            ["name"] = field.Name, ["data_type"] = field.DataType,
        }).ToList<object>(),
    };

    /// <summary>A value given as text, as the artifact writes it for a field's type; null where it is none.</summary>
    public static object? ValueOf(ContractField field, string text) => field.DataType switch
    {
        "BOOLEAN" => bool.TryParse(text, out var truth) ? truth : null,
        "INTEGER" => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null,
        "DOUBLE" => decimal.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) ? number : null,
        _ => text,
    };

    /// <summary>A value that <see cref="ValueOf"/> takes for a field's type.</summary>
    public static string ExampleOf(ContractField field) => field.DataType switch
    {
        "BOOLEAN" => "true",
        "INTEGER" => "3",
        "DOUBLE" => "2.5",
        _ => "…",
    };
}
