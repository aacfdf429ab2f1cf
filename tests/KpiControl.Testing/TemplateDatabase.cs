using KpiControl.Control.Database;
using Npgsql;

namespace KpiControl.Testing;

/// <summary>Roles and the migrated template, made once a server however many test processes ask at once.</summary>
internal static class TemplateDatabase
{
    public const string Name = "kpi_template";

    private const long EnsureLock = 0x6b70695f74657374;

    public static async Task EnsureAsync(string server, CancellationToken token)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(server) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(token);
        await ExecuteAsync(connection, $"SELECT pg_advisory_lock({EnsureLock})", token);
        if (await ExistsAsync(connection, token))
            return;

        foreach (var role in new[]
        {
            PostgresFixture.OwnerLogin, PostgresFixture.RequestsLogin, PostgresFixture.SchedulerLogin, PostgresFixture.ReaderLogin,
        })
            await CreateRoleAsync(connection, role, PostgresFixture.Password(server), token);

        // Under another name until it is complete: a process that dies half-way leaves no template that looks ready.
        var making = $"{Name}_making";
        await ExecuteAsync(connection, $"DROP DATABASE IF EXISTS {making} WITH (FORCE)", token);
        await ExecuteAsync(connection, $"CREATE DATABASE {making} OWNER {PostgresFixture.OwnerLogin.Group}", token);
        await MigrateAsync(new TestDatabase(server, making).Owner, token);
        NpgsqlConnection.ClearAllPools();
        await ExecuteAsync(connection, $"ALTER DATABASE {making} RENAME TO {Name}", token);
    }

    private static Task MigrateAsync(string owner, CancellationToken token) => Migrator.MigrateAsync(owner, token);

    private static async Task CreateRoleAsync(
        NpgsqlConnection connection, (string Group, string Login) role, string password, CancellationToken token) =>
        await ExecuteAsync(connection, $"""
            DO $$ BEGIN
              IF to_regrole('{role.Group}') IS NULL THEN CREATE ROLE {role.Group} NOLOGIN; END IF;
              IF to_regrole('{role.Login}') IS NULL THEN CREATE ROLE {role.Login} LOGIN PASSWORD '{password}'; END IF;
              GRANT {role.Group} TO {role.Login};
            END $$
            """, token);

    private static async Task<bool> ExistsAsync(NpgsqlConnection connection, CancellationToken token)
    {
        await using var command = new NpgsqlCommand("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", connection)
        {
            Parameters = { new() { Value = Name } },
        };
        return (bool)(await command.ExecuteScalarAsync(token))!;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken token)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(token);
    }
}
