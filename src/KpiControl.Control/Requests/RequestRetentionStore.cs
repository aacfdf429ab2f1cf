using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Requests;

internal sealed class RequestRetentionStore(Databases databases)
{
    private const string Forget = """
        DELETE FROM kpi_request WHERE recorded_at < now() - interval '25 hours'
        """;

    public async Task<int> ForgetAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return await connection.ExecuteAsync(new CommandDefinition(Forget, cancellationToken: token));
    }
}
