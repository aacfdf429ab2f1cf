using Dapper;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Control.Tests.Database;

/// <summary>Two tenants' callers on one server connection, lent by a pooler transaction by transaction.</summary>
public sealed class PoolerTests
{
    [Fact]
    public async Task Callers_of_two_tenants_share_a_server_connection_and_see_their_own()
    {
        var token = TestContext.Current.CancellationToken;
        await using var database = await PostgresFixture.CreateDatabaseAsync(token);
        foreach (var tenant in new[] { "acme", "globex" })
            await new BindingSeed(database).BindAsync(BindingSeed.Job($"of_{tenant}").Replace("tenant: acme", $"tenant: {tenant}", StringComparison.Ordinal), token: token);
        using var pooler = await PgBouncer.StartAsync(database.Requests, token);
        var issuer = await TestIssuer.SharedAsync();
        await using var host = await ControlHost.StartAsync(database, issuer, ("Database:Requests", pooler.ConnectionString), ("Database:RequestsThroughPooler", "true"));
        JobService.JobServiceClient[] clients = [host.Jobs(issuer.PersonToken("ann", "acme/*/viewer")), host.Jobs(issuer.PersonToken("bob", "globex/*/viewer"))];

        await Parallel.ForAsync(0, 200, token, async (i, _) =>
            Assert.Equal([i % 2 == 0 ? "of_acme" : "of_globex"], (await clients[i % 2].ListJobsAsync(new ListJobsRequest(), cancellationToken: token)).Jobs.Select(j => j.JobId)));

        await using var after = new NpgsqlConnection(pooler.ConnectionString);
        await after.OpenAsync(token);
        Assert.Empty(await after.QueryAsync<string>("SELECT tenant_id FROM kpi_job_binding"));
    }
}
