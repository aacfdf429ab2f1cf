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
