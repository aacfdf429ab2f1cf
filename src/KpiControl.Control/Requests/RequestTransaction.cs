using Dapper;
using KpiControl.Control.Database;
using KpiControl.Control.Security;
using Npgsql;

namespace KpiControl.Control.Requests;

/// <summary>
/// What one call reads and writes, under the role of requests and with the caller's tenants set for the transaction.
/// Disposed without <see cref="CommitAsync"/>, nothing of it happened.
/// </summary>
internal sealed class RequestTransaction : IAsyncDisposable
{
    private readonly NpgsqlTransaction transaction;
    private readonly CommitDoubt doubt;
    private readonly CancellationToken token;

    private RequestTransaction(NpgsqlConnection connection, NpgsqlTransaction transaction, Caller caller, CancellationToken token) =>
        (Connection, this.transaction, doubt, Caller, this.token) = (connection, transaction, new CommitDoubt(connection), caller, token);

    public NpgsqlConnection Connection { get; }

    public Caller Caller { get; }

    /// <summary>The caller's request_id, where one was sent: it stands in the audit row.</summary>
    public Guid? RequestId { get; init; }

    public CancellationToken Token => token;

    /// <summary>The tenants whose rows exist for the caller; null: all of them.</summary>
    public string[]? Tenants => Caller.TenantsFor(Verb.List)?.ToArray();

    /// <summary>What was demanded of the caller so far, each once: whoever is answered the same again must still be granted it.</summary>
    public HashSet<DemandedVerb> Demanded { get; } = [];

    /// <summary>For an object the caller was shown to exist: whoever may not even list it is told that it does not.</summary>
    public void Demand(Verb verb, string tenant, string environment, string what)
    {
        Caller.Demand(verb, tenant, environment, what);
        Demanded.Add(new DemandedVerb(verb, tenant, environment));
    }

    public static async Task<RequestTransaction> BeginAsync(Databases databases, Caller caller, CancellationToken token, Guid? requestId = null)
    {
        var connection = await databases.Requests.OpenConnectionAsync(token);
        try
        {
            var transaction = await connection.BeginTransactionAsync(token);
            var begun = new RequestTransaction(connection, transaction, caller, token) { RequestId = requestId };
            await RequestStore.SetCallerAsync(begun, caller.Principal, begun.Tenants);
            return begun;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public Task<int> ExecuteAsync(string sql, object? parameters = null) => Connection.ExecuteAsync(Command(sql, parameters));

    public async Task<IReadOnlyList<T>> QueryAsync<T>(string sql, object? parameters = null) =>
        (await Connection.QueryAsync<T>(Command(sql, parameters))).AsList();

    /// <summary>The one row, or default where there is none.</summary>
    public Task<T?> FindAsync<T>(string sql, object? parameters = null) => Connection.QuerySingleOrDefaultAsync<T>(Command(sql, parameters));

    /// <summary>Returns when what was done is committed, and is where it must be: it may be told to the caller.</summary>
    public async Task CommitAsync()
    {
        await transaction.CommitAsync(token);
        await doubt.ResolveAsync(token);
    }

    /// <summary>Ends it without a change, and returns when what it found is where it must be: it may be of a commit that was lost on its way.</summary>
    public async Task SettleAsync()
    {
        await transaction.RollbackAsync(token);
        doubt.Raise();
        await doubt.ResolveAsync(token);
    }

    public async ValueTask DisposeAsync()
    {
        doubt.Dispose();
        await transaction.DisposeAsync();
        await Connection.DisposeAsync();
    }

    private CommandDefinition Command(string sql, object? parameters) => new(sql, parameters, transaction, cancellationToken: token);
}

/// <param name="Environment"><c>*</c>: in any of the tenant's.</param>
internal sealed record DemandedVerb(Verb Verb, string Tenant, string Environment);
