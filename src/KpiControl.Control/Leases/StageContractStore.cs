using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Leases;

/// <summary>Reads the contracts of tables that runs may execute.</summary>
internal sealed class StageContractStore(Databases databases)
{
    private const string UsableSql =
        """
        SELECT kpi_id AS dataset, version, digest, status, canonical_json FROM kpi_contract
         WHERE tenant_id = @tenant AND contract_type = @kind AND kpi_id = ANY (@names) AND status IN ('active', 'deprecated')
        """;

    public async Task<IReadOnlyList<DatasetRow>> UsableAsync(string tenant, string kind, string[] names, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<DatasetRow>(new CommandDefinition(UsableSql, new { tenant, kind, names }, cancellationToken: token))).AsList();
    }
}

/// <summary>A version of a table's contract.</summary>
internal sealed record DatasetRow
{
    public string Dataset { get; init; } = "";
    public string Version { get; init; } = "";
    public string Digest { get; init; } = "";
    public string Status { get; init; } = "";
    public string CanonicalJson { get; init; } = "";
}
