using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Leases;

/// <summary>An agent may leave at any moment of its Hello.</summary>
public sealed class StreamOpeningTests
{
    private const string Waiting = "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%attempt_id = ANY%'";

    [Fact]
    public async Task A_session_whose_agent_left_before_its_welcome_ends()
    {
        await using var world = await LeaseWorld.StartAsync();
        await using (var connection = await world.Database.OpenAsync())
        await using (var transaction = await connection.BeginTransactionAsync())
        {
            // Between the commit that makes the session and its welcome, control reads what the agent still holds.
            await using var block = new Npgsql.NpgsqlCommand("LOCK TABLE kpi_job_runtime IN ACCESS EXCLUSIVE MODE", connection, transaction);
            await block.ExecuteNonQueryAsync();
            using var call = new AgentService.AgentServiceClient(world.Node.Channel(world.Issuer.AgentToken("agent-eu", "eu", "acme"))).Work();
            var hello = new Hello { Agent = "agent-eu", Region = "eu", Instance = Guid.NewGuid().ToString(), ProtocolMin = 1, ProtocolMax = 1, Build = "test", Slots = 1 };
            hello.Held.Add(new HeldAttempt { AttemptId = Guid.NewGuid().ToString(), BindingId = 1 });
            await call.RequestStream.WriteAsync(new AgentMessage { Hello = hello });
            await world.UntilAsync($"SELECT count(*) = 1 FROM {Waiting}");
            call.Dispose();
            await world.UntilAsync($"SELECT count(*) = 0 FROM {Waiting}");
        }

        await world.UntilAsync("SELECT end_reason = 'silent' FROM kpi_session");
        await using var next = await world.AgentAsync();
        Assert.Equal(1, next.Welcome.Generation);
    }
}
