using Dapper;
using KpiControl.Control.Database;
using KpiControl.Jobs.Evidence;

namespace KpiControl.Control.Audit;

internal sealed record StoredCheckpoint
{
    public required string TenantId { get; init; }
    public long Seq { get; init; }
    public required byte[] Hash { get; init; }
    public DateTime SignedAt { get; init; }
    public required string KeyId { get; init; }
    public required byte[] Signature { get; init; }

    public ChainCheckpoint Signed => new(TenantId, Seq, Convert.ToHexStringLower(Hash), ChainTime.Text(SignedAt), KeyId);
}

/// <summary>What is signed of the chains, and whether they still go through what somebody remembers.</summary>
internal sealed class WitnessStore(Databases databases)
{
    private const string LatestSql =
        """
        SELECT DISTINCT ON (c.tenant_id) c.tenant_id, c.seq, c.hash, c.signed_at, c.key_id, c.signature FROM kpi_chain_checkpoint c WHERE c.tenant_id = ANY (@tenants) ORDER BY c.tenant_id, c.seq DESC
        """;

    public async Task<IReadOnlyList<StoredCheckpoint>> LatestAsync(string[] tenants, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<StoredCheckpoint>(new CommandDefinition(LatestSql, new { tenants }, cancellationToken: token))).AsList();
    }

    private const string HeldSql =
        """
        SELECT EXISTS (SELECT FROM kpi_chain_link WHERE tenant_id = @Tenant AND seq = @Seq AND hash = @hash)
        """;

    /// <summary>Whether the chain goes through it.</summary>
    public async Task<bool> HoldsAsync(ChainCheckpoint checkpoint, byte[] hash, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return await connection.ExecuteScalarAsync<bool>(new CommandDefinition(HeldSql, new { checkpoint.Tenant, checkpoint.Seq, hash }, cancellationToken: token));
    }

    /// <summary>In the tenant's own chain, as it is now.</summary>
    public async Task NoteAsync(AuditEntry entry, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await AuditStore.AppendAsync(connection, entry, token);
        await transaction.CommitAsync(token);
    }
}
