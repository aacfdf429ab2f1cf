using System.Diagnostics.Metrics;

namespace KpiControl.Control.Audit;

/// <summary>How far the chain is behind what was recorded.</summary>
internal sealed class ChainMetrics : IDisposable
{
    private readonly Meter meter;
    private readonly Counter<long> linked, missing, contradicted;
    private double waited;

    public ChainMetrics(IMeterFactory meters)
    {
        meter = meters.Create("KpiControl.Audit");
        linked = meter.CreateCounter<long>("kpicontrol.audit.linked", "{row}", "Rows that this node linked into their chains");
        missing = meter.CreateCounter<long>("kpicontrol.audit.missing", "{row}", "Rows that were taken out before they were linked: never, unless somebody did it");
        contradicted = meter.CreateCounter<long>("kpicontrol.audit.contradicted", "{checkpoint}", "Checkpoints that agents remember and that their chains do not go through");
        meter.CreateObservableGauge("kpicontrol.audit.waited", () => Volatile.Read(ref waited), "s", "How long the oldest row of this node's last pass had waited");
    }

    public void Linked(ChainPass pass)
    {
        linked.Add(pass.Rows);
        missing.Add(pass.Missing.Count);
        Volatile.Write(ref waited, pass.Waited.TotalSeconds);
    }

    public void Contradicted() => contradicted.Add(1);

    public void Dispose() => meter.Dispose();
}
