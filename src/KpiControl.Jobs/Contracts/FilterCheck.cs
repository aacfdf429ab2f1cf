using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Contracts;

/// <summary>Filters against the contract's fields: the field exists, the operator fits its type, and the values are of it.</summary>
/// <remarks>Whether a value is one, a list or none, as its operator takes it, is a question of stage 3.</remarks>
internal static class FilterCheck
{
    public static IEnumerable<Finding> Check(JobArtifact job, MetricContract contract) =>
        job.Runtime.Filters.Index().SelectMany(filter => Check(filter.Item, string.Create(CultureInfo.InvariantCulture, $"/runtime/filters/{filter.Index}"), contract));

    private static IEnumerable<Finding> Check(JobFilter filter, string path, MetricContract contract)
    {
        if (contract.FilterField(filter.Field) is not { } field)
            return [ContractCheck.Error(path + "/field", "contract.filter_field", $"{filter.Field} is neither a dimension nor a filter of the contract.",
                ContractCheck.Known(contract.Dimensions.Concat(contract.Filters).Select(f => f.Name)))];
        if (!OperatorFits(filter.Op, field.DataType))
            return [ContractCheck.Error(path + "/op", "contract.filter_op", $"{filter.Op} cannot be asked of {filter.Field}, which is {field.DataType}.", filter.Op == "like" ? "Only VARCHAR takes like; write = or in." : "A BOOLEAN takes =, != or is_null.")];
        return Values(filter, path, field);
    }

    private static bool OperatorFits(string op, string type) => op switch
    {
        "like" => type == "VARCHAR",
        "<" or "<=" or ">" or ">=" or "between" => type != "BOOLEAN",
        _ => true,
    };

    private static IEnumerable<Finding> Values(JobFilter filter, string path, ContractField field) => filter.Value switch
    {
        JsonArray many => many.Index().Where(v => !IsOf(v.Item, field.DataType))
            .Select(v => Mistyped(string.Create(CultureInfo.InvariantCulture, $"{path}/value/{v.Index}"), field)),
        JsonValue one when !IsOf(one, field.DataType) => [Mistyped(path + "/value", field)],
        _ => [],
    };

    private static Finding Mistyped(string path, ContractField field) => ContractCheck.Error(path, "contract.filter_value",
        $"The value is not of the type of {field.Name}, which is {field.DataType}.", field.DataType switch
        {
            "DATE" => "Write a date: \"2026-01-31\".",
            "TIMESTAMP" => "Write an instant: \"2026-01-31T09:00:00Z\".",
            "VARCHAR" => "Write it in quotes.",
            "BOOLEAN" => "Write true or false.",
            _ => "Write a number.",
        });

    private static bool IsOf(JsonNode? value, string type) => (type, value?.GetValueKind()) switch
    {
        ("VARCHAR", JsonValueKind.String) => true,
        ("BOOLEAN", JsonValueKind.True or JsonValueKind.False) => true,
        ("DOUBLE" or "DECIMAL", JsonValueKind.Number) => true,
        ("INTEGER", JsonValueKind.Number) => Number(value) is var n && double.IsInteger(n) && n is >= int.MinValue and <= int.MaxValue,
        ("BIGINT", JsonValueKind.Number) => double.IsInteger(Number(value)),
        // What a double cannot hold exactly is written in quotes.
        ("BIGINT", JsonValueKind.String) => long.TryParse(value!.GetValue<string>(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _),
        ("DECIMAL", JsonValueKind.String) => decimal.TryParse(value!.GetValue<string>(), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out _),
        ("DATE", JsonValueKind.String) => DateOnly.TryParseExact(value!.GetValue<string>(), "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _),
        ("TIMESTAMP", JsonValueKind.String) => DateTime.TryParse(value!.GetValue<string>(), CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out _),
        _ => false,
    };

    private static double Number(JsonNode? value) => double.Parse(value!.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture);
}
