using Dapper;
using KpiControl.Control.Database;
using Npgsql;

namespace KpiControl.Control.Doctor;

/// <summary>Runs one check against the database in force, without a chance to change or to hold up anything.</summary>
internal sealed class DoctorStore(Databases databases)
{
    public const int MostRows = 20;

    // A minute is what the platform promises; what a pause holds back is not late.
    private const string AlertsSql =
        """
        SELECT format('tenant %s, %s: %s alerts wait, the oldest since %s; last error: %s', tenant_id, channel_value, count(*), min(created_at), coalesce(max(last_error), 'none'))
          FROM kpi_alert_message WHERE state = 'pending' AND created_at < now() - interval '1 minute' GROUP BY tenant_id, channel_value
        UNION ALL
        SELECT format('tenant %s, %s: %s alerts were given up (kpictl alerts dead); last error: %s', tenant_id, channel_value, count(*), coalesce(max(last_error), 'none'))
          FROM kpi_alert_message WHERE state = 'dead' GROUP BY tenant_id, channel_value
        """;

    /// <summary>Whether those who are to be told are told.</summary>
    public static Invariant AlertsArrive { get; } = new(0, "alerts reach their channels within a minute", AlertsSql);

    private const string ReviewsSql =
        """
        SELECT format('tenant %s, %s: %s open, the oldest since %s, of change %s (kpictl changes reviews)', tenant_id, environment, count(*),
                      to_char(min(opened_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), (array_agg(change_id ORDER BY opened_at, change_id))[1])
          FROM kpi_change_review WHERE closed_at IS NULL GROUP BY tenant_id, environment ORDER BY min(opened_at)
        """;

    /// <summary>What people still have to look at; open, it breaks no promise.</summary>
    public static Invariant ReviewsClosed { get; } = new(0, "what was released by break-glass is reviewed", ReviewsSql);

    private const string StoresSql =
        """
        SELECT format('tenant %s, %s: the store %s is configured no more, and %s jobs follow it%s (kpictl drift --store %s)', s.tenant_id, s.environment, s.store, count(*),
                      CASE WHEN count(w.write_id) > 0 THEN format('; %s wait to be written there', count(w.write_id)) ELSE '' END, s.store)
          FROM kpi_store s JOIN kpi_source_ref r USING (store) JOIN kpi_job_binding b USING (binding_id)
          LEFT JOIN kpi_store_write w ON w.binding_id = b.binding_id AND w.store = s.store AND w.store_state = 'pending'
         WHERE NOT s.configured AND b.pruned_at IS NULL GROUP BY s.tenant_id, s.environment, s.store ORDER BY s.store
        """;

    /// <summary>Jobs whose store nobody reads; they run on by what is bound.</summary>
    public static Invariant StoresConfigured { get; } = new(0, "stores that jobs follow are configured", StoresSql);

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
