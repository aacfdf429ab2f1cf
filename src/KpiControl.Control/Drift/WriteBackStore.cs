using KpiControl.Control.Requests;

namespace KpiControl.Control.Drift;

/// <summary>A write to a store as stored.</summary>
internal sealed record WriteRow
{
    public long WriteId { get; init; }
    public required string Store { get; init; }
    public required string Path { get; init; }
    public required string ContentHash { get; init; }
    public required string StoreState { get; init; }
    public required string Reason { get; init; }
    public required string RequestedBy { get; init; }
    public DateTimeOffset RequestedAt { get; init; }
    public int Tries { get; init; }
    public string? Problem { get; init; }
    public string? StoredCommit { get; init; }
    public DateTimeOffset? EndedAt { get; init; }
}

/// <summary>Asks for what is bound to be written to a store.</summary>
internal static class WriteBackStore
{
    private const string Last = """
        SELECT write_id, store, path, content_hash, store_state, reason, requested_by, requested_at, tries, problem, stored_commit, ended_at
          FROM kpi_store_write WHERE binding_id = @bindingId ORDER BY write_id DESC LIMIT 1
        """;

    public static Task<WriteRow?> LastAsync(RequestTransaction tx, long bindingId) => tx.FindAsync<WriteRow>(Last, new { bindingId });

    // The binding is held by whoever asks: nobody else asks for it meanwhile.
    private const string Supersede = """
        UPDATE kpi_store_write SET store_state = 'refused', problem = 'another one was asked for before it was written', ended_at = now() WHERE binding_id = @BindingId AND store_state = 'pending'
        """;

    private const string Insert = """
        INSERT INTO kpi_store_write (binding_id, tenant_id, store, path, def_id, content_hash, seen_version, reason, requested_by)
        VALUES (@BindingId, @TenantId, @Store, @Path, @DefId, @ContentHash, @SeenVersion, @Reason, @By)
        """;

    public static async Task<WriteRow> AskAsync(RequestTransaction tx, NewWrite write)
    {
        await tx.ExecuteAsync(Supersede, write);
        await tx.ExecuteAsync(Insert, write);
        return await LastAsync(tx, write.BindingId) ?? throw new InvalidOperationException("A write that was stored is gone.");
    }
}

/// <param name="SeenVersion">What the store held at the path when it was read last; null: nothing.</param>
internal sealed record NewWrite(long BindingId, string TenantId, string Store, string Path, long DefId, string ContentHash, string? SeenVersion, string Reason, string By);
