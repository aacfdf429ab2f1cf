using KpiControl.Control.Leases;

namespace KpiControl.Control.Tests.Leases;

public sealed class ReportRoomTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Reports_wait_for_room_of_their_size_and_go_on_when_others_leave()
    {
        using var room = new ReportRoom(10 * 4096);
        var (large, small) = (OfBytes(7 * 4096), OfBytes(1));
        await room.EnterAsync(large, Token);
        await room.EnterAsync(small, Token);
        Assert.Equal(2 * 4096, room.FreeBytes);

        var waiting = room.EnterAsync(large, Token).AsTask();
        Assert.False(waiting.IsCompleted);
        room.Leave([large, small]);
        await waiting;

        room.Leave([large]);
        Assert.Equal(10 * 4096, room.FreeBytes);
    }

    [Fact]
    public async Task One_that_is_larger_than_the_room_has_it_alone_and_one_that_gives_up_leaves_nothing_taken()
    {
        using var room = new ReportRoom(4 * 4096);
        await room.EnterAsync(OfBytes(100 * 4096), Token);
        using var gone = new CancellationTokenSource();
        var waiting = room.EnterAsync(OfBytes(2 * 4096), gone.Token).AsTask();
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);

        room.Leave([OfBytes(100 * 4096)]);
        Assert.Equal(4 * 4096, room.FreeBytes);
    }

    private static Report OfBytes(int bytes) => new(null!, new(), Guid.Empty, [], bytes);
}
