using Grpc.Core;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Drift;

/// <summary>Waits for the pass that was asked for by asking again.</summary>
internal sealed class SyncWait(Session session, ArtifactStore asked)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    public async Task<ArtifactStore> Ended(TimeSpan timeout)
    {
        using var progress = new ProgressLine(session.World);
        var clock = session.World.Clock;
        progress.Say($"waiting for the pass over {asked.Store}");
        for (var started = clock.GetTimestamp(); clock.GetElapsedTime(started) < timeout; await Task.Delay(Pause, clock, session.Token))
            if (await Look(progress) is { PassStartedAt: { } start } store && start.ToDateTimeOffset() >= asked.AskedAt.ToDateTimeOffset())
                return store;
        throw new Refusal($"the pass over {asked.Store} has not ended after {Ages.Span(timeout)}; it is still asked for", $"look again: kpictl drift stores", ExitCode.Failed);
    }

    private async Task<ArtifactStore?> Look(ProgressLine progress)
    {
        try
        {
            return (await session.Drift.ListStoresAsync(new ListStoresRequest { Store = asked.Store }, session.Call)).Stores.FirstOrDefault();
        }
        catch (RpcException away) when (away.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded)
        {
            progress.Say("the control plane does not answer; asking again");
            return null;
        }
    }
}
