namespace KpiControl.Jobs.Contracts;

/// <summary>What a raw or a GDP table is, at one version that never changes: what the stages before <c>kpi</c> execute.</summary>
/// <remarks>Source: <c>docs/stages.md</c>; names are those of the document.</remarks>
public sealed record DatasetContract
{
    public required string ContractId { get; init; }
    /// <summary>A word of <see cref="ContractKind.OfDatasets"/>.</summary>
    public required string Type { get; init; }
    /// <summary>The table that is loaded or built: <c>RAW_Invoices</c>, <c>GDP_Invoices</c>.</summary>
    public required string Dataset { get; init; }
    /// <summary>SemVer 2.0, as written.</summary>
    public required string Version { get; init; }
    /// <summary>A word of <see cref="ContractStatus"/>; no part of the digest.</summary>
    public required string Status { get; init; }
    /// <summary>Of a GDP table: the raw tables that it is built from.</summary>
    public IReadOnlyList<string> Dependencies { get; init; } = [];
    /// <summary>The table's, in order.</summary>
    public required IReadOnlyList<ContractField> Columns { get; init; }
    /// <summary>Columns that no two rows share and that are never empty.</summary>
    public IReadOnlyList<string> PrimaryKey { get; init; } = [];
    /// <summary>Of a raw table: a CSV file of the connection's <c>data_directory</c>, with a header line of exactly the columns.</summary>
    public string? File { get; init; }
    /// <summary>Of a GDP table: one SELECT over its raw tables that returns the columns.</summary>
    public string? ExpressionText { get; init; }
    /// <summary>Of a GDP table: how far its data reach.</summary>
    public DataThrough? Through { get; init; }

    public bool IsRaw => Type == ContractKind.Raw;
}

/// <summary>A table has everything up to the end of the latest period in which a row of it lies.</summary>
/// <param name="Column">A DATE or TIMESTAMP.</param>
/// <param name="Grain"><c>day, week, month, quarter</c> or <c>year</c>.</param>
public sealed record DataThrough(string Column, string Grain);

/// <summary>What a contract is of: <c>header.contract_type</c>.</summary>
public static class ContractKind
{
    public const string Kpi = "kpi";
    public const string Gdp = "gdp";
    public const string Raw = "raw";

    public static IReadOnlyList<string> OfDatasets { get; } = [Raw, Gdp];
}
