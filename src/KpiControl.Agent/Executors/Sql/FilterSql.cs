using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Agent.Executors.Sql;

/// <summary>One filter of a call as a condition on a declared column, its values bound.</summary>
internal sealed record FilterSql(string Field, string Op, IReadOnlyList<object> Values)
{
    private static readonly Dictionary<string, string> Comparisons = new()
    {
        ["="] = "=", ["!="] = "<>", ["<"] = "<", ["<="] = "<=", [">"] = ">", [">="] = ">=", ["like"] = "LIKE",
    };

    /// <summary>The filter, or why the contract cannot take it.</summary>
    public static (FilterSql? Filter, string Problem) Of(JobFilter filter, MetricContract contract)
    {
        if (contract.FilterField(filter.Field)?.DataType is not { } type)
            return (null, $"the contract has no dimension or filter `{filter.Field}`");
        var nodes = filter.Value is JsonArray array ? [.. array] : filter.Value is null ? Array.Empty<JsonNode?>() : [filter.Value];
        var values = nodes.Select(node => SqlParameters.Convert(node, type)).ToList();
        if (values.Contains(null))
            return (null, $"the filter on `{filter.Field}` has a value that is no {type}");
        var fits = filter.Op switch
        {
            "in" or "not_in" => filter.Value is JsonArray,
            "between" => filter.Value is JsonArray && values.Count == 2,
            "is_null" or "is_not_null" => values.Count == 0,
            "like" => type.Equals("VARCHAR", StringComparison.OrdinalIgnoreCase) && filter.Value is not JsonArray && values.Count == 1,
            _ => Comparisons.ContainsKey(filter.Op) && filter.Value is not JsonArray && values.Count == 1,
        };
        return fits ? (new FilterSql(filter.Field, filter.Op, values!), "") : (null, $"the filter on `{filter.Field}` has an operator that is not known, or not this many values: {filter.Op}");
    }

    public string Condition(string column, SqlParameters parameters)
    {
        // Several places in a statement may filter by it: each value is bound once.
        var places = Values.Select((value, index) => parameters.Named($"filter {Field} {Op} {index} {value}", value)).ToList();
        return Op switch
        {
            "in" => places.Count == 0 ? "(1 = 0)" : $"({column} IN ({string.Join(", ", places)}))",
            "not_in" => places.Count == 0 ? "(1 = 1)" : $"({column} NOT IN ({string.Join(", ", places)}))",
            "between" => $"({column} BETWEEN {places[0]} AND {places[1]})",
            "is_null" => $"({column} IS NULL)",
            "is_not_null" => $"({column} IS NOT NULL)",
            _ => $"({column} {Comparisons[Op]} {places[0]})",
        };
    }
}
