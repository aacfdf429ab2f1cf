using System.Diagnostics.Metrics;

namespace KpiControl.Control.Leases;

/// <summary>What of leases and reports an operator sees at a glance. No tenant and no job is a label: there are too many, and they are not the monitoring's to know.</summary>
internal sealed class LeaseMetrics : IDisposable
{
    private readonly Meter meter;
    private readonly Counter<long> granted, recorded, refused;
    private readonly Histogram<double> grantDelay;

    public LeaseMetrics(IMeterFactory meters, SessionRegistry sessions)
    {
        meter = meters.Create("KpiControl.Leases");
        granted = meter.CreateCounter<long>("kpicontrol.runs.granted", "{run}", "Attempts that were leased to an agent");
        recorded = meter.CreateCounter<long>("kpicontrol.runs.recorded", "{run}", "Reports that changed history, by what became of the attempt");
        refused = meter.CreateCounter<long>("kpicontrol.reports.not_recorded", "{report}", "Reports that changed nothing: repeated, stale or refused");
        grantDelay = meter.CreateHistogram("kpicontrol.runs.grant_delay", "s", "From the instant that the schedule names to the lease, of first tries",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600] });
        meter.CreateObservableGauge("kpicontrol.agents.connected", () => sessions.All.Where(session => session.IsAttached)
            .GroupBy(session => session.Region).Select(region => new Measurement<long>(region.Count(), Region(region.Key))), "{agent}", "Agents whose stream is on this node");
    }

    public void Granted(NewLease lease)
    {
        var region = Region(lease.Plan.Region);
        granted.Add(1, region, new("trigger", lease.Kind.Word()));
        if (lease is { RetriesUsed: 0, Kind: OccurrenceKind.Schedule } && AttemptId.GrantedAt(lease.Attempt) is { } at)
            grantDelay.Record(Math.Max(0, (at - lease.ScheduledFor).TotalSeconds), region);
    }

    public void Recorded(string region, string status) => recorded.Add(1, Region(region), new("status", status));

    public void NotRecorded(string region, string outcome) => refused.Add(1, Region(region), new("outcome", outcome));

    /// <summary>Reports that wait here for the database.</summary>
    public void Waiting(Func<int> count) => meter.CreateObservableGauge("kpicontrol.reports.waiting", count, "{report}", "Reports that were received and are not recorded yet");

    public void Dispose() => meter.Dispose();

    private static KeyValuePair<string, object?> Region(string region) => new("region", region);
}
