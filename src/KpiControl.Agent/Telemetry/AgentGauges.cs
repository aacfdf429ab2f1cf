using System.Diagnostics.Metrics;
using KpiControl.Agent.Leasing;

namespace KpiControl.Agent.Telemetry;

/// <summary>What monitoring sees of the agent itself, looked at when it is asked for.</summary>
internal sealed class AgentGauges
{
    public AgentGauges(IMeterFactory meters, Slots slots, Outbox.Outbox outbox, AgentSession session)
    {
        var meter = meters.Create(AttemptTelemetry.Name);
        meter.CreateObservableGauge("kpicontrol.agent.slots", () => slots.Total, "{attempt}", "Attempts that may run at a time");
        meter.CreateObservableGauge("kpicontrol.agent.slots.running", () => slots.Running, "{attempt}", "Attempts that run, or wait for the disk to take their result");
        meter.CreateObservableGauge("kpicontrol.agent.outbox.waiting", () => outbox.Waiting, "{result}", "Results that the control plane has not acknowledged");
        meter.CreateObservableGauge("kpicontrol.agent.outbox.writable", () => outbox.Writable ? 1 : 0, "{outbox}", "1: the disk takes results");
        meter.CreateObservableGauge("kpicontrol.agent.stream", () => session.HasStream ? 1 : 0, "{stream}", "1: a stream to the control plane is open");
    }
}
