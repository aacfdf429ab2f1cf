using System.Text.Json;
using System.Text.RegularExpressions;
using KpiControl.Agent.Executors.Calls;

namespace KpiControl.Agent.Executors.Sql;

/// <summary>What the <c>sql</c> executor needs of a metric contract; the format is <c>docs/contracts.md</c>.</summary>
internal sealed partial record SqlContract(ContractHeader Header, ContractPayload Payload)
{
    private static readonly JsonSerializerOptions Wire = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public IEnumerable<string> GdpTables => Header.Dependencies.Where(name => !name.Contains('@', StringComparison.Ordinal));

    /// <summary>Upstream KPIs: id → pinned version.</summary>
    public IReadOnlyDictionary<string, string> Upstream => Header.Dependencies.Where(name => name.Contains('@', StringComparison.Ordinal))
        .Select(name => name.Split('@', 2)).ToDictionary(parts => parts[0], parts => parts[1]);

    public IReadOnlyList<string> KeyDimensions => [.. Payload.PrimaryKey.Where(name => name != "period")];

    public string? TypeOf(string field) =>
        Payload.Dimensions.Concat(Payload.Filters).FirstOrDefault(one => one.Name == field)?.DataType;

    /// <summary>The contract, or what is wrong with it: names become identifiers in SQL, so each is checked here too.</summary>
    public static (SqlContract? Contract, string Problem) Parse(string json)
    {
        try
        {
            var contract = JsonSerializer.Deserialize<SqlContract>(json, Wire);
            if (contract?.Header is null || contract.Payload?.Expression is null)
                return (null, "the contract has no header, payload or expression");
            if (contract.Names().FirstOrDefault(name => !IdentifierPattern().IsMatch(name)) is { } bad)
                return (null, $"the contract's name `{bad}` is not a lower-case identifier");
            if (contract.GdpTables.FirstOrDefault(name => !TablePattern().IsMatch(name)) is { } table)
                return (null, $"the contract's dependency `{table}` is no table name");
            if (contract.Payload.Metrics.Count == 0 || contract.Payload.Expression.Language != "sql")
                return (null, "the contract has no metric, or its expression's language is not sql");
            return (contract, "");
        }
        catch (JsonException error)
        {
            return (null, $"the contract does not have the shape that this agent knows (at {error.Path ?? "its beginning"})");
        }
    }

    private IEnumerable<string> Names() => Payload.Dimensions.Concat(Payload.Filters).Concat(Payload.Metrics).Select(one => one.Name).Concat(KeyDimensions);

    [GeneratedRegex("^[a-z][a-z0-9_]{0,62}$")]
    private static partial Regex IdentifierPattern();

    [GeneratedRegex("^[A-Za-z][A-Za-z0-9_]{0,62}$")]
    private static partial Regex TablePattern();
}

internal sealed record ContractHeader
{
    public string KpiId { get; init; } = "";
    public string Version { get; init; } = "";
    public IReadOnlyList<string> Dependencies { get; init; } = [];
}

internal sealed record ContractPayload
{
    public string Grain { get; init; } = "";
    public IReadOnlyList<ContractField> Dimensions { get; init; } = [];
    public IReadOnlyList<ContractField> Filters { get; init; } = [];
    public IReadOnlyList<ContractField> Metrics { get; init; } = [];
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Extensions { get; init; } = new Dictionary<string, IReadOnlyList<string>>();
    public IReadOnlyList<string> PrimaryKey { get; init; } = [];
    public ContractExpression? Expression { get; init; }
    public IReadOnlyList<ContractRule> PreValidation { get; init; } = [];
    public IReadOnlyList<ContractRule> PostValidation { get; init; } = [];
}

internal sealed record ContractField(string Name, string DataType = "VARCHAR");

internal sealed record ContractExpression(string Language, string Text);

/// <summary>A rule before (<c>no_rows</c> with its SQL) or after (<c>range, not_null, row_count</c>).</summary>
internal sealed record ContractRule
{
    public string RuleId { get; init; } = "";
    public string Check { get; init; } = "";
    public string Message { get; init; } = "";
    public string Text { get; init; } = "";
    public string Of { get; init; } = "value";
    public double? Min { get; init; }
    public double? Max { get; init; }
}
