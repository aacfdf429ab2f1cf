using KpiControl.Control.Leases;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Control.Tests.Leases;

public sealed class ReportRoomTests
{
    [Fact]
    public void Room_is_bounded_in_number_and_in_bytes()
    {
        var room = new ReportRoom(3, 1000);
        var (large, small) = (OfBytes(700), OfBytes(1));
        Assert.Equal([true, false, true, true, false], new[] { large, large, small, small, small }.Select(room.TryEnter));
        Assert.Equal(0, room.FreeParts(3));

        room.Leave([large, small]);
        Assert.Equal(2, room.FreeParts(3));
        Assert.True(room.TryEnter(large));
        Assert.Equal(0, room.FreeParts(3));
    }

    [Fact]
    public void One_that_is_larger_than_the_room_has_it_alone()
    {
        var (room, huge) = (new ReportRoom(3, 1000), OfBytes(5000));
        Assert.Equal([true, false], new[] { huge, OfBytes(1) }.Select(room.TryEnter));

        room.Leave([huge]);
        Assert.True(room.TryEnter(OfBytes(1)));
        Assert.False(room.TryEnter(huge));
    }

    [Fact]
    public async Task A_heartbeat_is_answered_while_the_database_takes_no_reports_and_those_without_room_are_asked_for_again()
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:Ttl", "00:05:00"));
        var instance = Guid.NewGuid();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync(instance: instance);
        var lease = await agent.LeaseAsync();
        await using var connection = await world.Database.OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using (var held = new NpgsqlCommand("LOCK TABLE kpi_job_runtime", connection, transaction))
            await held.ExecuteNonQueryAsync();

        // More than are recorded at once and wait behind them.
        var report = TestAgent.Success(lease);
        for (var i = 0; i < 21; i++)
            await agent.SayAsync(TestAgent.Report(Enumerable.Repeat(report, 1000)));
        await agent.HeartbeatAsync(4711);
        await agent.NextAsync(m => m.HeartbeatAck?.Sequence == 4711);

        await transaction.RollbackAsync();
        Assert.Contains("no room", (await agent.NextAsync(m => m.Reconnect is not null)).Reconnect.Reason, StringComparison.Ordinal);
        await using var again = await world.AgentAsync(instance: instance, credit: 0);
        Assert.Equal(FinishedAck.Types.Outcome.AlreadyRecorded, (await again.FinishAsync(report)).Outcome);
        Assert.Equal(["success"], await world.HistoryAsync(binding));
    }

    private static Report OfBytes(int bytes) => new(null!, new(), Guid.Empty, [], bytes);
}
