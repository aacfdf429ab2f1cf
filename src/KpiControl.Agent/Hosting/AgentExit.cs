using System.Runtime.InteropServices;

namespace KpiControl.Agent.Hosting;

/// <summary>How the process ends: drained with 0, refused or misconfigured with 1, and at once on a second signal.</summary>
internal sealed partial class AgentExit : IDisposable
{
    // timeout(1) and some supervisors signal the process and then its group: that is one wish, not two.
    private static readonly TimeSpan SameWish = TimeSpan.FromMilliseconds(500);
    private readonly CancellationTokenSource now = new();
    private readonly IHostApplicationLifetime lifetime;
    private readonly ILogger<AgentExit> log;
    private PosixSignalRegistration[] signals = [];
    private readonly TimeProvider time;
    private readonly Lock gate = new();
    private long? firstAt;

    public AgentExit(IHostApplicationLifetime lifetime, TimeProvider time, ILogger<AgentExit> log)
    {
        (this.lifetime, this.time, this.log) = (lifetime, time, log);
    }

    /// <summary>Only in a process of its own: handlers are the process's.</summary>
    public void ListenToSignals() =>
        signals = [PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal), PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal)];

    public int Code { get; private set; }

    /// <summary>Cancelled by the second signal.</summary>
    public CancellationToken Now => now.Token;

    public void Fail(string message)
    {
        Code = 1;
        Log.Failed(log, message);
        lifetime.StopApplication();
    }

    /// <summary>A bug ended the lease loop; the host stops and logs it.</summary>
    public void Broke() => Code = 1;

    // The host's own handler asks for the stop; this one only counts.
    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        lock (gate)
        {
            firstAt ??= time.GetTimestamp();
            if (now.IsCancellationRequested || time.GetElapsedTime(firstAt.Value) < SameWish)
                return;
            Code = 1;
        }
        Log.Now(log, context.Signal);
        now.Cancel();
    }

    public void Dispose()
    {
        Array.ForEach(signals, s => s.Dispose());
        now.Dispose();
    }

    private static partial class Log
    {
        [LoggerMessage(1501, LogLevel.Critical, "{Message}")]
        public static partial void Failed(ILogger log, string message);

        [LoggerMessage(1502, LogLevel.Warning, "Second {Signal}: the agent ends now; its leases pass on, results on disk are sent at the next start.")]
        public static partial void Now(ILogger log, PosixSignal signal);
    }
}
