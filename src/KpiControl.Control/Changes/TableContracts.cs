using System.Text.Json;
using System.Text.Json.Nodes;
using KpiControl.Control.Leases;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Control.Changes;

/// <summary>Which contracts the tables of a run would be loaded and built by if it were leased now; pure.</summary>
internal static class TableContracts
{
    private static readonly JsonSerializerOptions Words = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>By <c>gdp/NAME</c> and <c>raw/NAME</c>: the digest of the version that counts; a table without one is absent.</summary>
    /// <param name="tables">GDP tables that the KPI reads; null: the job loads and builds none.</param>
    /// <param name="usable">JSON of <see cref="UsableContract"/>s; null: there are none.</param>
    public static JsonObject? Of(string[]? tables, string? usable)
    {
        if (tables is null)
            return null;
        var known = JsonSerializer.Deserialize<List<UsableContract>>(usable ?? "[]", Words)!.ToLookup(one => (one.ContractType, one.Dataset));
        var built = tables.Select(table => Latest(known[(ContractKind.Gdp, table)])).OfType<UsableContract>().ToList();
        var loaded = built.SelectMany(one => one.Dependencies ?? []).Distinct(StringComparer.Ordinal).Select(table => Latest(known[(ContractKind.Raw, table)])).OfType<UsableContract>();
        return new JsonObject(built.Concat(loaded).DistinctBy(one => one.Name).Select(one => KeyValuePair.Create(one.Name, (JsonNode?)one.Digest)));
    }

    public static JsonObject? Parsed(string? json) => json is null ? null : JsonNode.Parse(json)!.AsObject();

    private static UsableContract? Latest(IEnumerable<UsableContract> versions)
    {
        var all = versions.ToList();
        return StageContracts.Latest(all.Select(one => new DatasetRow { Version = one.Version, Status = one.Status })) is { } latest ? all.Find(one => one.Version == latest.Version) : null;
    }
}

/// <summary>A version of a table's contract that is active or deprecated.</summary>
internal sealed record UsableContract(string ContractType, string Dataset, string Version, string Digest, string Status, string[]? Dependencies)
{
    public string Name => $"{ContractType}/{Dataset}";
}
