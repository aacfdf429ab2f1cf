using KpiControl.Agent.Connections;
using KpiControl.Agent.Secrets;

namespace KpiControl.Agent.Executors.Sql;

internal sealed class SqlExecutor(Connection connection, IReadOnlyList<ISecretResolver> resolvers, TimeProvider time) : IExecutor
{
    public Task<Outcome> ExecuteAsync(LeasedCall lease, CancellationToken gentle, CancellationToken force) =>
        throw new NotImplementedException(connection.ConnId + resolvers.Count + time);
}
