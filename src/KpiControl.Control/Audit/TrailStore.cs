using KpiControl.Control.Requests;

namespace KpiControl.Control.Audit;

internal sealed record AuditRow
{
    public long AuditId { get; init; }
    public DateTime RecordedAt { get; init; }
    public required string TenantId { get; init; }
    public string? Environment { get; init; }
    public required string Actor { get; init; }
    public required string Verb { get; init; }
    public required string ObjectKind { get; init; }
    public required string ObjectId { get; init; }
    public required string Reason { get; init; }
    public string? Before { get; init; }
    public string? After { get; init; }
    public Guid? RequestId { get; init; }
}

internal sealed record LinkRow
{
    public long Seq { get; init; }
    public DateTime LinkedAt { get; init; }
    public required string[] RowKinds { get; init; }
    public required long[] RowIds { get; init; }
    public required DateTime[] RowTimes { get; init; }
    public required byte[] RowHashes { get; init; }
    public required byte[] PrevHash { get; init; }
    public string? KeyId { get; init; }
    public byte[]? CheckpointHash { get; init; }
    public DateTime? SignedAt { get; init; }
    public byte[]? Signature { get; init; }

    public IEnumerable<RowPlace> Places => RowIds.Select((id, i) => new RowPlace(RowKinds[i][0], id, RowTimes[i]));
}

/// <summary>What auditors read, under their own tenants.</summary>
internal static class TrailStore
{
    private const string ListSql =
        """
        SELECT audit_id, recorded_at, tenant_id, environment, actor, verb, object_kind, object_id, reason, before::text AS before, after::text AS after, request_id
          FROM kpi_audit
         WHERE tenant_id = @tenant AND recorded_at >= coalesce(@since::timestamptz, '-infinity') AND recorded_at < coalesce(@until::timestamptz, 'infinity')
           AND (@actor = '' OR actor = @actor) AND (@verb = '' OR verb = @verb) AND (@kind = '' OR object_kind = @kind) AND (@objectId = '' OR object_id = @objectId)
           AND (@beforeAt::timestamptz IS NULL OR (recorded_at, audit_id) < (@beforeAt, @beforeId))
           AND (environment IS NULL OR EXISTS (SELECT FROM unnest(@tenants::text[], @environments::text[]) AS g(tenant, environment)
                 WHERE g.tenant IN ('*', kpi_audit.tenant_id) AND g.environment IN ('*', kpi_audit.environment)))
         ORDER BY recorded_at DESC, audit_id DESC LIMIT @limit
        """;

    public static Task<IReadOnlyList<AuditRow>> ListAsync(RequestTransaction tx, object filter) => tx.QueryAsync<AuditRow>(ListSql, filter);

    private const string LinksSql =
        """
        SELECT l.seq, l.linked_at, l.row_kinds::text[] AS row_kinds, l.row_ids, l.row_times, l.row_hashes, l.prev_hash,
               c.key_id, c.hash AS checkpoint_hash, c.signed_at, c.signature
          FROM kpi_chain_link l LEFT JOIN kpi_chain_checkpoint c USING (tenant_id, seq)
         WHERE l.tenant_id = @tenant AND l.seq >= @from AND l.seq <= @to ORDER BY l.seq LIMIT @limit
        """;

    public static Task<IReadOnlyList<LinkRow>> LinksAsync(RequestTransaction tx, string tenant, long from, long to, int limit) =>
        tx.QueryAsync<LinkRow>(LinksSql, new { tenant, from, to, limit });

    private const string HeadSql = "SELECT coalesce((SELECT seq FROM kpi_chain_head WHERE tenant_id = @tenant), 0) AS seq, now() AS at";

    /// <summary>The last link, 0 where there is none, and the database's time.</summary>
    public static Task<(long Seq, DateTime At)> HeadAsync(RequestTransaction tx, string tenant) => tx.FindAsync<(long, DateTime)>(HeadSql, new { tenant });

    private const string HashSql = "SELECT encode(hash, 'hex') FROM kpi_chain_link WHERE tenant_id = @tenant AND seq = @seq";

    public static Task<string?> HashAsync(RequestTransaction tx, string tenant, long seq) => tx.FindAsync<string>(HashSql, new { tenant, seq });

    // What commits is linked within seconds; what is not after minutes has been put beside the chain, or the sequencer stands still.
    private const string UnlinkedSql =
        """
        WITH linked AS (
          SELECT unnest(row_kinds) AS kind, unnest(row_ids) AS id, unnest(row_times) AS at FROM kpi_chain_link WHERE tenant_id = @tenant),
        there AS (
          SELECT 'a'::"char" AS kind, audit_id AS id, recorded_at AS at FROM kpi_audit WHERE tenant_id = @tenant
          UNION ALL SELECT 'e', evidence_id, recorded_at FROM kpi_evidence WHERE tenant_id = @tenant
          UNION ALL SELECT 'h', run_id, recorded_at FROM kpi_job_history WHERE tenant_id = @tenant)
        SELECT kind::text AS kind, id, at, at < now() - interval '3 minutes' AS late FROM there LEFT JOIN linked l USING (kind, id, at) WHERE l.id IS NULL ORDER BY at LIMIT 1000
        """;

    /// <summary>Rows that no link names, the oldest first, at most 1,000.</summary>
    public static Task<IReadOnlyList<(string Kind, long Id, DateTime At, bool IsLate)>> UnlinkedAsync(RequestTransaction tx, string tenant) =>
        tx.QueryAsync<(string, long, DateTime, bool)>(UnlinkedSql, new { tenant });
}
