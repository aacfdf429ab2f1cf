using System.Threading.Channels;
using Grpc.Core;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Tests.Runs;

public sealed class WatchTests : IAsyncLifetime
{
    private RunWorld world = null!;

    public async ValueTask InitializeAsync() => world = await RunWorld.CreateAsync();

    public ValueTask DisposeAsync() => world.DisposeAsync();

    [Fact]
    public async Task A_watcher_sees_how_it_stands_then_each_run_once_and_ends_when_it_leaves()
    {
        using var leave = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var told = new Told();
        var watching = world.Reads.WatchAsync(RunWorld.Viewer, new() { BindingId = world.Binding }, told, leave.Token);
        Assert.Equal(("state", "dso_daily"), await NextAsync(told, leave.Token));

        var run = await world.RunAsync("2026-01-05T02:00:00Z");
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET last_run_at = now(), last_status = 'success' WHERE binding_id = @Binding", new { world.Binding });
        Assert.Equal(("run", $"{run}"), await NextAsync(told, leave.Token));
        Assert.Equal(("state", "dso_daily"), await NextAsync(told, leave.Token));
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET paused_until = 'infinity' WHERE binding_id = @Binding", new { world.Binding });
        Assert.Equal(("state", "dso_daily"), await NextAsync(told, leave.Token));

        await leave.CancelAsync();
        await watching;
    }

    [Fact]
    public async Task A_cursor_brings_back_what_was_missed()
    {
        using var leave = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var told = new Told();
        var cursor = DateTimeOffset.UnixEpoch.AddYears(30).UtcTicks.ToString(System.Globalization.CultureInfo.InvariantCulture);
        var run = await world.RunAsync("2026-01-05T02:00:00Z");
        var watching = world.Reads.WatchAsync(RunWorld.Viewer, new() { Cursor = cursor }, told, leave.Token);
        Assert.Equal(("run", $"{run}"), await NextAsync(told, leave.Token));
        await leave.CancelAsync();
        await watching;
    }

    private static async Task<(string, string)> NextAsync(Told told, CancellationToken token)
    {
        JobEvent next;
        do next = await told.Events.Reader.ReadAsync(token);
        while (next.Kind == "heartbeat");
        return (next.Kind, next.Kind == "run" ? $"{next.Run.RunId}" : next.Job.JobId);
    }

    private sealed class Told : IServerStreamWriter<JobEvent>
    {
        public Channel<JobEvent> Events { get; } = Channel.CreateUnbounded<JobEvent>();

        public WriteOptions? WriteOptions { get; set; }

        // The interface's own refuses a token that can be cancelled; the server's writers take it.
        public Task WriteAsync(JobEvent message, CancellationToken cancellationToken) => WriteAsync(message);

        public Task WriteAsync(JobEvent message) => Events.Writer.WriteAsync(message).AsTask();
    }
}
