using Dapper;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Fleet;

public sealed class FleetServiceTests
{
    [Fact]
    public async Task Agents_are_live_silent_or_ended_and_shown_to_the_tenants_they_serve()
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync();
        var issuer = await TestIssuer.SharedAsync();
        await using var host = await ControlHost.StartAsync(database, issuer);
        await using (var connection = await database.OpenAsync())
        {
            await connection.ExecuteAsync("""
                INSERT INTO kpi_node (name, generation, expires_at) VALUES ('n1', 1, now() + interval '1 hour'), ('n2', 1, now() - interval '1 second');
                """);
            var generation = await connection.ExecuteScalarAsync<bool>(
                "SELECT EXISTS (SELECT FROM information_schema.columns WHERE table_name = 'kpi_session' AND column_name = 'node_generation')");
            await connection.ExecuteAsync($"""
                INSERT INTO kpi_session (agent, instance, region, node_id, {(generation ? "node_generation," : "")} generation, build, labels, slots, ended_at, end_reason)
                SELECT a, gen_random_uuid(), 'eu', n.node_id, {(generation ? "1," : "")} 1, '0.1.0', '{"{\"gpu\": \"no\"}"}', 4, e, CASE WHEN e IS NOT NULL THEN 'drained' END
                  FROM (VALUES ('live', 'n1', NULL::timestamptz), ('silent', 'n2', NULL), ('ended', 'n1', now())) AS x(a, node, e) JOIN kpi_node n ON n.name = x.node;
                INSERT INTO kpi_session_tenant SELECT session_id, 'acme' FROM kpi_session;
                INSERT INTO kpi_session_tenant SELECT session_id, 'globex' FROM kpi_session WHERE agent = 'live';
                """);
        }

        var mine = await new FleetService.FleetServiceClient(host.Channel()).ListAgentsAsync(new ListAgentsRequest { IncludeEnded = true });
        Assert.Equal(["ended", "live", "silent"], mine.Agents.Select(a => a.State).Order());
        Assert.All(mine.Agents, a => Assert.Equal(["acme"], a.Tenants));
        Assert.Equal("no", mine.Agents[0].Labels["gpu"]);
        var theirs = await new FleetService.FleetServiceClient(host.Channel(issuer.Token("other-tenant"))).ListAgentsAsync(new ListAgentsRequest());
        Assert.Equal("live", Assert.Single(theirs.Agents).Agent_);
    }
}
