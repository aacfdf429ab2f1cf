using System.Globalization;
using Dapper;
using KpiControl.Control.Database;
using KpiControl.Jobs.Evidence;
using Npgsql;

namespace KpiControl.Control.Audit;

/// <summary>Moves what committed since into the chain of its tenant: one transaction, after which the entries are linked and no longer waiting.</summary>
internal sealed class ChainStore(Databases databases)
{
    private const int Entries = 100, LinkSize = 1000;

    // One at a time, so that no two link in vain; that a chain never forks rests on its head, not on this lock.
    private const string OnlyOneSql = "SELECT pg_try_advisory_xact_lock(hashtext('kpi_chain'))";

    // What committed late is found by the next pass, whatever its id.
    private const string TakeSql =
        """
        DELETE FROM kpi_chain_pending WHERE pending_id = ANY (ARRAY(SELECT pending_id FROM kpi_chain_pending ORDER BY pending_id LIMIT @limit))
        RETURNING run_ids, audit_ids, evidence_ids, recorded_at, now() - recorded_at AS waited
        """;

    private const string HoldHeadSql =
        """
        INSERT INTO kpi_chain_head AS h (tenant_id, seq, hash) VALUES (@tenant, 0, decode(repeat('00', 32), 'hex'))
        ON CONFLICT (tenant_id) DO UPDATE SET seq = h.seq RETURNING seq, hash
        """;

    private const string MoveHeadSql =
        """
        UPDATE kpi_chain_head SET seq = @seq, hash = @hash WHERE tenant_id = @tenant AND seq = @seq - 1 AND hash = @previous
        """;

    private const string LinkSql =
        """
        INSERT INTO kpi_chain_link (tenant_id, seq, linked_at, row_kinds, row_ids, row_times, row_hashes, prev_hash, hash)
        VALUES (@tenant, @seq, @at, @kinds::"char"[], @ids, @times, @hashes, @previous, @hash)
        """;

    /// <returns>How many rows were linked, and which of the entries' rows were not there to be linked.</returns>
    public async Task<ChainPass> LinkAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        if (!await connection.ExecuteScalarAsync<bool>(new CommandDefinition(OnlyOneSql, cancellationToken: token)))
            return ChainPass.Nothing;
        var entries = (await connection.QueryAsync<PendingEntry>(new CommandDefinition(TakeSql, new { limit = Entries }, cancellationToken: token))).AsList();
        if (entries.Count == 0)
            return ChainPass.Nothing;
        var places = entries.SelectMany(e => e.Places()).Distinct().ToList();
        var rows = await ChainRowStore.HashesAsync(connection, places, token);
        var missing = places.Except(rows.Select(r => r.Place)).ToList();
        // In the order of their tenants: two sequencers take the heads in the same order.
        foreach (var tenant in rows.GroupBy(r => r.Tenant).OrderBy(g => g.Key, StringComparer.Ordinal))
            await AppendAsync(connection, tenant.Key, [.. tenant.OrderBy(r => r.Place.At).ThenBy(r => r.Place.Kind).ThenBy(r => r.Place.Id)], token);
        await transaction.CommitAsync(token);
        return new ChainPass(rows.Count, entries.Count == Entries, entries.Max(e => e.Waited), missing);
    }

    private static async Task AppendAsync(NpgsqlConnection connection, string tenant, IReadOnlyList<ChainRow> rows, CancellationToken token)
    {
        var (seq, head) = await connection.QuerySingleAsync<(long Seq, byte[] Hash)>(new CommandDefinition(HoldHeadSql, new { tenant }, cancellationToken: token));
        foreach (var part in rows.Chunk(LinkSize))
        {
            var now = Instant(await connection.ExecuteScalarAsync<DateTime>(new CommandDefinition("SELECT clock_timestamp()", cancellationToken: token)));
            var link = new ChainLink(tenant, ++seq, ChainTime.Text(now), Convert.ToHexStringLower(head), [.. part.Select(r => Convert.ToHexStringLower(r.Hash))]);
            var hash = Convert.FromHexString(link.Hash());
            await connection.ExecuteAsync(new CommandDefinition(LinkSql, new
            {
                tenant, seq, at = now, kinds = part.Select(r => r.Place.Kind.ToString(CultureInfo.InvariantCulture)).ToArray(), ids = part.Select(r => r.Place.Id).ToArray(),
                times = part.Select(r => r.Place.At).ToArray(), hashes = part.SelectMany(r => r.Hash).ToArray(), previous = head, hash,
            }, cancellationToken: token));
            if (await connection.ExecuteAsync(new CommandDefinition(MoveHeadSql, new { tenant, seq, hash, previous = head }, cancellationToken: token)) != 1)
                throw new InvalidOperationException($"The chain of {tenant} moved while its head was held.");
            head = hash;
        }
    }

    // What is not under a checkpoint of this key yet, where the last one is old enough.
    private const string UnsignedSql =
        """
        SELECT h.tenant_id, h.seq, h.hash, now() AS at FROM kpi_chain_head h
         WHERE h.seq > 0 AND NOT EXISTS (SELECT FROM kpi_chain_checkpoint c WHERE c.tenant_id = h.tenant_id AND (c.seq = h.seq OR c.signed_at > now() - @every::interval))
         ORDER BY 1 LIMIT 1000
        """;

    private const string CheckpointSql =
        """
        INSERT INTO kpi_chain_checkpoint (tenant_id, seq, hash, signed_at, key_id, signature) VALUES (@Tenant, @Seq, @hash, @at, @KeyId, @signature) ON CONFLICT DO NOTHING
        """;

    /// <summary>Signs the chains that grew.</summary>
    public async Task<int> SignAsync(AuditKey key, TimeSpan every, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        var heads = (await connection.QueryAsync<(string Tenant, long Seq, byte[] Hash, DateTime At)>(new CommandDefinition(UnsignedSql, new { every }, cancellationToken: token))).AsList();
        foreach (var head in heads)
        {
            var checkpoint = new ChainCheckpoint(head.Tenant, head.Seq, Convert.ToHexStringLower(head.Hash), ChainTime.Text(head.At), key.Id);
            await connection.ExecuteAsync(new CommandDefinition(CheckpointSql, new
            {
                checkpoint.Tenant, checkpoint.Seq, hash = head.Hash, at = head.At, checkpoint.KeyId, signature = key.Sign(checkpoint.ToSign()),
            }, cancellationToken: token));
        }
        return heads.Count;
    }

    // PostgreSQL keeps microseconds; what is hashed must be what is kept.
    private static DateTime Instant(DateTime time) => time.AddTicks(-(time.Ticks % TimeSpan.TicksPerMicrosecond));
}

/// <summary>Instants of the chain in their one spelling.</summary>
internal static class ChainTime
{
    public static string Text(DateTime utc) => utc.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
}

/// <param name="Rows">Linked.</param>
/// <param name="More">Whether more may be waiting.</param>
/// <param name="Waited">How long the one that waited longest did.</param>
/// <param name="Missing">Rows that an entry promised and that are not there: somebody took them out before they were linked.</param>
internal sealed record ChainPass(int Rows, bool More, TimeSpan Waited, IReadOnlyList<RowPlace> Missing)
{
    public static readonly ChainPass Nothing = new(0, false, TimeSpan.Zero, []);
}

internal sealed record PendingEntry
{
    public required long[] RunIds { get; init; }
    public required long[] AuditIds { get; init; }
    public required long[] EvidenceIds { get; init; }
    public required DateTime RecordedAt { get; init; }
    public required TimeSpan Waited { get; init; }

    // An entry commits with its rows, in a transaction of one now().
    public IEnumerable<RowPlace> Places() =>
        AuditIds.Select(id => new RowPlace('a', id, RecordedAt)).Concat(EvidenceIds.Select(id => new RowPlace('e', id, RecordedAt))).Concat(RunIds.Select(id => new RowPlace('h', id, RecordedAt)));
}
