using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace KpiControl.Agent.Hosting;

/// <summary>How the process ends: drained with 0, refused or misconfigured with 1, and at once on a second signal.</summary>
[SuppressMessage("Design", "CA1001", Justification = "As long as the process: a signal may come after the host is disposed.")]
internal sealed partial class AgentExit
{
    // timeout(1) and some supervisors signal the process and then its group: that is one wish, not two.
    private static readonly TimeSpan SameWish = TimeSpan.FromMilliseconds(500);
    private static PosixSignalRegistration[] signals = [];
    private readonly CancellationTokenSource now = new();
    private readonly IHostApplicationLifetime lifetime;
    private readonly ILogger<AgentExit> log;
    private readonly TimeProvider time;
    private readonly Lock gate = new();
    private long? firstAt;

    public AgentExit(IHostApplicationLifetime lifetime, TimeProvider time, ILogger<AgentExit> log)
    {
        (this.lifetime, this.time, this.log) = (lifetime, time, log);
    }

    /// <summary>Only in a process of its own: handlers are the process's, and stay to its end, so that a signal on the way out does not change how it exits.</summary>
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

    private static partial class Log
    {
        [LoggerMessage(1501, LogLevel.Critical, "{Message}")]
        public static partial void Failed(ILogger log, string message);

        [LoggerMessage(1502, LogLevel.Warning, "Second {Signal}: the agent ends now; its leases pass on, results on disk are sent at the next start.")]
        public static partial void Now(ILogger log, PosixSignal signal);
    }
}
