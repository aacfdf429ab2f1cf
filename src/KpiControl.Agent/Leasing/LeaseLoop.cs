using KpiControl.Agent.Hosting;

namespace KpiControl.Agent.Leasing;

/// <summary>Keeps one stream to the control plane open, one after the other, until the agent has drained.</summary>
internal sealed class LeaseLoop(StreamOpener opener, TrustGuard guard, Drainage drainage, AgentExit exit, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Lively = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var done = new CancellationTokenSource();
        var guarding = guard.RunAsync(done.Token);
        var streaming = RunStreamsAsync(done.Token);
        var stopping = Task.Delay(Timeout.InfiniteTimeSpan, time, stoppingToken);
        if (await Task.WhenAny(streaming, stopping) == stopping)
            await drainage.RunAsync(exit.Now);
        await done.CancelAsync();
        await Task.WhenAll(streaming, guarding);
    }

    private async Task RunStreamsAsync(CancellationToken done)
    {
        while (!done.IsCancellationRequested)
        {
            var opened = time.GetTimestamp();
            var end = await RunStreamAsync(done);
            if (end.Kind == StreamEndKind.Misconfigured)
            {
                exit.Fail(end.Message);
                return;
            }
            var pause = opener.PauseAfter(end, livedLong: time.GetElapsedTime(opened) > Lively);
            await Task.Delay(pause, time, done).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<StreamEnd> RunStreamAsync(CancellationToken done)
    {
        try
        {
            return await opener.RunAsync(done);
        }
        catch
        {
            exit.Broke();
            throw;
        }
    }
}
