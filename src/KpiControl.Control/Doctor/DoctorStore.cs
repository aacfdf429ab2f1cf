using Dapper;
using KpiControl.Control.Database;
using Npgsql;

namespace KpiControl.Control.Doctor;

/// <summary>Runs one check against the database in force, without a chance to change or to hold up anything.</summary>
internal sealed class DoctorStore(Databases databases)
{
    public const int MostRows = 20;

    // History grows with the years and some promises are about all of it: a check that takes longer is for a quieter hour.
    private const string BoundSql = "SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = '30s'";

    /// <remarks>Under the scheduler's role, which sees every tenant's rows and the chain: whoever asks was asked for that first.</remarks>
    /// <returns>What breaks it, at most one more than <see cref="MostRows"/>; null where it did not end in time.</returns>
    public async Task<IReadOnlyList<string>?> BrokenAsync(Invariant invariant, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.ExecuteAsync(new CommandDefinition(BoundSql, transaction: transaction, cancellationToken: token));
        try
        {
            return (await connection.QueryAsync<string>(new CommandDefinition(
                $"SELECT line FROM ({invariant.Sql}) AS broken(line) LIMIT {MostRows + 1}", transaction: transaction, commandTimeout: 60, cancellationToken: token))).AsList();
        }
        catch (PostgresException stopped) when (stopped.SqlState == PostgresErrorCodes.QueryCanceled && !token.IsCancellationRequested)
        {
            return null;
        }
    }
}
