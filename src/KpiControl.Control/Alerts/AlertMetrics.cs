using System.Diagnostics.Metrics;

namespace KpiControl.Control.Alerts;

/// <summary>Whether alerts go out; also where nothing is left that could send one about it.</summary>
internal sealed class AlertMetrics : IDisposable
{
    private readonly Meter meter;
    private readonly TimeProvider time;
    private readonly Counter<long> sent, failed, dead;
    private long lookedAt;

    public AlertMetrics(IMeterFactory meters, TimeProvider time)
    {
        (this.time, lookedAt) = (time, time.GetTimestamp());
        meter = meters.Create("KpiControl.Alerts");
        sent = meter.CreateCounter<long>("kpicontrol.alerts.sent", "{alert}", "Alerts that a channel took");
        failed = meter.CreateCounter<long>("kpicontrol.alerts.failed", "{alert}", "Tries that failed, and are tried again");
        dead = meter.CreateCounter<long>("kpicontrol.alerts.dead", "{alert}", "Alerts that were given up: kpictl alerts dead");
        meter.CreateObservableGauge("kpicontrol.alerts.look_age", () => time.GetElapsedTime(Volatile.Read(ref lookedAt)).TotalSeconds, "s", "Since this node last looked through the outbox without an error");
    }

    public void Looked() => Volatile.Write(ref lookedAt, time.GetTimestamp());

    public void Sent(string channel, int alerts) => sent.Add(alerts, Channel(channel));

    public void Failed(string channel, int alerts) => failed.Add(alerts, Channel(channel));

    public void GivenUp(string channel, int alerts) => dead.Add(alerts, Channel(channel));

    public void Dispose() => meter.Dispose();

    private static KeyValuePair<string, object?> Channel(string channel) => new("channel", channel);
}
