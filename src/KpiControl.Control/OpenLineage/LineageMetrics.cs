using System.Diagnostics.Metrics;

namespace KpiControl.Control.OpenLineage;

/// <summary>Whether receivers of lineage take what they are told.</summary>
internal sealed class LineageMetrics : IDisposable
{
    private readonly Meter meter;
    private readonly Counter<long> sent, failed, dead;

    public LineageMetrics(IMeterFactory meters)
    {
        meter = meters.Create("KpiControl.OpenLineage");
        sent = meter.CreateCounter<long>("kpicontrol.lineage.sent", "{event}", "Lineage events that a receiver took");
        failed = meter.CreateCounter<long>("kpicontrol.lineage.failed", "{event}", "Tries that failed, and are tried again");
        dead = meter.CreateCounter<long>("kpicontrol.lineage.dead", "{event}", "Lineage events that were given up: kpictl lineage dead");
    }

    /// <param name="state">What became of the event; null: another node claimed it meanwhile.</param>
    public void Ended(string tenant, string? state)
    {
        var counter = state switch { "sent" => sent, "dead" => dead, "pending" => failed, _ => null };
        counter?.Add(1, new KeyValuePair<string, object?>("tenant", tenant));
    }

    public void Dispose() => meter.Dispose();
}
