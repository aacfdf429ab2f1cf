using KpiControl.Control.Database;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Control.Tests.Database;

public sealed class MigrationTests
{
    [Fact]
    public async Task Eight_nodes_that_start_at_once_migrate_once()
    {
        await using var database = await PostgresFixture.CreateEmptyDatabaseAsync();

        await Parallel.ForAsync(0, 8, async (_, token) => await Migrator.MigrateAsync(database.Owner, token));

        Assert.Empty(Migrator.Pending(database.Owner));
        await using var connection = await database.OpenAsync();
        await using var count = new NpgsqlCommand("SELECT count(*) = count(DISTINCT scriptname) FROM kpi_migration", connection);
        Assert.Equal(true, await count.ExecuteScalarAsync());
    }

    [Fact]
    public async Task A_node_that_is_not_restarted_makes_the_months_to_come()
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync();
        var issuer = await TestIssuer.SharedAsync();
        await using var host = await ControlHost.StartAsync(database, issuer, ("Database:PartitionsEvery", "00:00:00.2"));
        await using var connection = await database.OpenAsync();
        await using var drop = new NpgsqlCommand("DO $$ BEGIN EXECUTE format('DROP TABLE kpi_job_history_%s, kpi_evidence_%1$s, kpi_audit_%1$s', to_char(now() + interval '2 months', 'YYYYMM')); END $$", connection);
        await drop.ExecuteNonQueryAsync();

        await Eventually.ComesAsync("the months to come", async token =>
        {
            await using var there = new NpgsqlCommand("SELECT bool_and(to_regclass(t || to_char(now() + interval '2 months', '_YYYYMM')) IS NOT NULL) FROM unnest(ARRAY['kpi_job_history', 'kpi_evidence', 'kpi_audit']) t", connection);
            return await there.ExecuteScalarAsync(token) is true ? "there" : null;
        });
    }

    [Theory]
    [InlineData("INSERT INTO kpi_tenant (tenant_id) VALUES ('acme')")]
    [InlineData("UPDATE kpi_job_history SET status = 'success'")]
    [InlineData("DELETE FROM kpi_evidence")]
    [InlineData("TRUNCATE kpi_audit")]
    [InlineData("SELECT kpi_make_partitions(1)")]
    public async Task The_role_of_requests_may_not(string statement)
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync();
        await using var connection = new NpgsqlConnection(database.Requests);
        await connection.OpenAsync();

        await using var command = new NpgsqlCommand(statement, connection);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync());

        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
    }

    [Theory]
    [InlineData("kpi_job_history")]
    [InlineData("kpi_binding_revision")]
    [InlineData("kpi_pause")]
    public async Task Not_even_the_owner_changes_what_happened(string table)
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync();
        await using var connection = await database.OpenAsync();

        await using var truncate = new NpgsqlCommand($"TRUNCATE {table} CASCADE", connection);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => truncate.ExecuteNonQueryAsync());

        Assert.Contains("append-only", refused.MessageText);
    }
}
