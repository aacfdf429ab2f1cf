using System.Data.Common;

namespace KpiControl.Agent.Executors.Sql;

/// <summary>What became of a write behind a fence.</summary>
internal enum Materialised { Written, SameAttempt, Stale }

/// <param name="SlotKey">What is fenced within the binding: an occurrence, whose values an attempt writes, or <c>stage:gdp/GDP_Sales</c>, a table that its runs replace.</param>
internal sealed record SlotFence(long BindingId, string SlotKey, int Epoch, long Number, Guid Attempt);

/// <summary>Raises fences in <c>kpi_fence</c>, in the transaction that writes behind them.</summary>
internal static class Fences
{
    private const string Raise = """
        INSERT INTO kpi_fence (tenant_id, binding_id, slot_key, epoch, n) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant_id, binding_id, slot_key) DO UPDATE SET epoch = excluded.epoch, n = excluded.n
        WHERE kpi_fence.epoch < excluded.epoch OR (kpi_fence.epoch = excluded.epoch AND kpi_fence.n < excluded.n)
        """;

    private const string Holds = """
        SELECT COUNT(*) FROM kpi_fence WHERE tenant_id = $1 AND binding_id = $2 AND slot_key = $3 AND epoch = $4 AND n = $5
        """;

    /// <returns><see cref="Materialised.Written"/>: raised, and what follows may be written; otherwise nothing may.</returns>
    public static async Task<Materialised> RaiseAsync(this IWarehouse warehouse, DbConnection connection, string tenant, SlotFence fence, CancellationToken token)
    {
        object[] parameters = [tenant, fence.BindingId, fence.SlotKey, fence.Epoch, fence.Number];
        if (await connection.ExecuteAsync(warehouse, Raise, parameters, token) > 0)
            return Materialised.Written;
        return Convert.ToInt64(await connection.ScalarAsync(warehouse, Holds, parameters, token), null) == 1 ? Materialised.SameAttempt : Materialised.Stale;
    }
}
