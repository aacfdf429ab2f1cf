using KpiControl.Testing;
using Npgsql;

namespace KpiControl.EndToEnd.Tests.Kills;

/// <summary>A table of the warehouse that the test keeps locked, so that an attempt stands still at a known place.</summary>
internal sealed class HeldTable : IAsyncDisposable
{
    private readonly NpgsqlConnection holder;

    private HeldTable(NpgsqlConnection holder) => this.holder = holder;

    public static async Task<HeldTable> LockAsync(TestDatabase warehouse, string table)
    {
        var connection = await warehouse.OpenAsync();
        await using var command = new NpgsqlCommand($"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE", connection);
        await command.ExecuteNonQueryAsync();
        return new HeldTable(connection);
    }

    /// <summary>Returns when an agent's statement waits for the table.</summary>
    public Task SomebodyWaitsAsync(params ShippedProcess[] processes) => Patience.UntilAsync("an agent waits for the table", async () =>
    {
        // Not pg_stat_activity: within this transaction it would show for ever what it showed first.
        await using var command = new NpgsqlCommand("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())", holder);
        return (bool)(await command.ExecuteScalarAsync())!;
    }, processes);

    public async Task ReleaseAsync()
    {
        await using var command = new NpgsqlCommand("COMMIT", holder);
        await command.ExecuteNonQueryAsync();
    }

    public ValueTask DisposeAsync() => holder.DisposeAsync();
}
