using Npgsql;

namespace KpiControl.Testing;

/// <summary>A migrated database of one test class, with a login for each of the product's roles.</summary>
public sealed class TestDatabase : IAsyncDisposable
{
    private readonly string server;

    internal TestDatabase(string server, string name)
    {
        this.server = server;
        Name = name;
        Superuser = new NpgsqlConnectionStringBuilder(server) { Database = name }.ConnectionString;
        Owner = As(PostgresFixture.OwnerLogin);
        Requests = As(PostgresFixture.RequestsLogin);
        Scheduler = As(PostgresFixture.SchedulerLogin);
        Reader = As(PostgresFixture.ReaderLogin);
    }

    public string Name { get; }

    /// <summary>For arranging rows; the product never has it.</summary>
    public string Superuser { get; }

    public string Owner { get; }

    public string Requests { get; }

    public string Scheduler { get; }

    public string Reader { get; }

    public async Task<NpgsqlConnection> OpenAsync(CancellationToken token = default)
    {
        var connection = new NpgsqlConnection(Superuser);
        await connection.OpenAsync(token);
        return connection;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var pooled in new[] { Superuser, Owner, Requests, Scheduler, Reader })
        {
            await using var connection = new NpgsqlConnection(pooled);
            NpgsqlConnection.ClearPool(connection);
        }
        await using var admin = PostgresFixture.Admin(server);
        await admin.OpenAsync();
        await using var drop = new NpgsqlCommand($"DROP DATABASE IF EXISTS {Name} WITH (FORCE)", admin);
        await drop.ExecuteNonQueryAsync();
    }

    private string As((string Group, string Login) role) =>
        new NpgsqlConnectionStringBuilder(Superuser) { Username = role.Login, Password = PostgresFixture.Password(server) }.ConnectionString;
}
