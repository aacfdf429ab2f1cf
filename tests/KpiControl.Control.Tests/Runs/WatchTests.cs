using System.Threading.Channels;
using Grpc.Core;
using KpiControl.Control.Database;
using KpiControl.Control.Runs;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

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

    [Fact]
    public async Task However_many_runs_are_of_one_instant_each_is_shown()
    {
        using var leave = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var told = new Told();
        var watching = world.Reads.WatchAsync(RunWorld.Viewer, new() { BindingId = world.Binding }, told, leave.Token);
        await NextAsync(told, leave.Token);

        await world.ExecuteAsync("""
            INSERT INTO kpi_job_history (run_id, binding_id, scheduled_for, revision, business_date, lane, final, tenant_id, status, trigger_kind)
            SELECT nextval('kpi_fence'), @Binding, timestamptz '2026-01-05T02:00Z' + i * interval '1 second', 1, '2026-01-04', 1, true, 'acme', 'success', 'schedule' FROM generate_series(1, 2500) AS i;
            UPDATE kpi_job_runtime SET last_run_at = now() WHERE binding_id = @Binding
            """, new { world.Binding });
        var shown = new HashSet<string>();
        for (var next = await NextAsync(told, leave.Token); next.Item1 == "run"; next = await NextAsync(told, leave.Token))
            Assert.True(shown.Add(next.Item2));

        Assert.Equal(2500, shown.Count);
        await leave.CancelAsync();
        await watching;
    }

    [Fact]
    public async Task What_was_stamped_before_a_cursor_and_committed_after_it_is_shown()
    {
        using var leave = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var told = new Told();
        var now = await world.ScalarAsync("SELECT (extract(epoch FROM now()) * 10000000)::bigint") + DateTimeOffset.UnixEpoch.UtcTicks;
        var run = await world.RunAsync("2026-01-05T02:00:00Z", recordedAt: new DateTimeOffset(now, TimeSpan.Zero).AddSeconds(-5));

        var watching = world.Reads.WatchAsync(RunWorld.Viewer, new() { Cursor = now.ToString(System.Globalization.CultureInfo.InvariantCulture) }, told, leave.Token);

        Assert.Equal(("run", $"{run}"), await NextAsync(told, leave.Token));
        await leave.CancelAsync();
        await watching;
    }

    [Fact]
    public async Task A_watcher_that_holds_up_a_look_is_told_that_it_is_behind()
    {
        using var leave = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var clock = new FakeTimeProvider();
        var told = new Told { BeforeEach = () => clock.Advance(TimeSpan.FromSeconds(11)) };
        var watching = new JobWatch(world.Host.Services.GetRequiredService<Databases>(), clock).WatchAsync(RunWorld.Viewer, new() { BindingId = world.Binding }, told, leave.Token);

        Assert.Equal("state", (await told.Events.Reader.ReadAsync(leave.Token)).Kind);
        Assert.Equal("behind", (await told.Events.Reader.ReadAsync(leave.Token)).Kind);
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

        public Action BeforeEach { get; init; } = () => { };

        public WriteOptions? WriteOptions { get; set; }

        // The interface's own refuses a token that can be cancelled; the server's writers take it.
        public Task WriteAsync(JobEvent message, CancellationToken cancellationToken) => WriteAsync(message);

        public Task WriteAsync(JobEvent message)
        {
            BeforeEach();
            return Events.Writer.WriteAsync(message).AsTask();
        }
    }
}
