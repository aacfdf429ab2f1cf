using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Audit;
using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Leases;
using KpiControl.Control.Requests;
using KpiControl.Control.Runs;
using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Operations;

/// <summary>One occurrence now, by hand; it waits for its dependencies like a scheduled one.</summary>
internal static class Triggers
{
    public static async Task<TriggerJobResponse> TriggerAsync(RequestTransaction tx, TriggerJobRequest request)
    {
        var binding = await BindingLookup.ResolveForEditAsync(tx, new(request.BindingId, request.Tenant, request.Environment, request.JobId), Verb.Run);
        var asked = RequestFields.BusinessDate(request.BusinessDate);
        var facts = await TriggerStore.FactsAsync(tx, binding.BindingId);
        DemandMayRun(facts, binding);
        var job = ArtifactReader.Read(facts.CanonicalJson, ArtifactFormat.Json).Job
            ?? throw new InvalidOperationException($"The definition of binding {binding.BindingId} cannot be read.");
        var schedule = BoundJob.Schedule(job, binding);
        var occurrence = new Triggered
        {
            BindingId = binding.BindingId, SlotKey = new SlotKey("manual", facts.Now).ToString(), At = facts.Now, WindowStart = schedule.Previous(facts.Now),
            BusinessDate = asked ?? schedule.BusinessDate(facts.Now, job.Dependencies.BusinessDate), By = tx.Caller.Principal, Reason = request.Reason,
        };
        var lane = await TriggerStore.QueueAsync(tx, occurrence) ?? throw Paused(binding);
        await AuditStore.AppendAsync(tx, Entry(tx, binding, occurrence));
        await CursorStore.TellAsync(tx, string.Create(CultureInfo.InvariantCulture, $"queue {lane}"));
        return new TriggerJobResponse { BindingId = binding.BindingId, Occurrence = ToProto(occurrence) };
    }

    internal static void DemandMayRun(TriggerFacts facts, Binding binding)
    {
        if (!facts.Active)
            throw Reject.Precondition("INACTIVE", $"{binding.BindingId}", "The job is not active: it waits for its approval (kpictl changes), or is retired (active_flag).");
        if (facts.Paused)
            throw Paused(binding);
        if (facts.ContractStatus is not (ContractStatus.Active or ContractStatus.Deprecated))
            throw Reject.Precondition("CONTRACT_NOT_ACTIVE", $"{binding.KpiId}@{binding.ContractVersion}",
                $"The contract {binding.KpiId}@{binding.ContractVersion} is {facts.ContractStatus}, not active.");
    }

    internal static Exception Paused(Binding binding) =>
        Reject.Precondition("PAUSED", $"{binding.BindingId}", "The job is paused: resume it first.");

    internal static Occurrence ToProto(Triggered occurrence) => new()
    {
        SlotKey = occurrence.SlotKey, ScheduledFor = occurrence.At.ToTimestamp(), WindowStart = occurrence.WindowStart?.ToTimestamp(),
        BusinessDate = occurrence.BusinessDate.ToString("O", CultureInfo.InvariantCulture), State = "queued", TriggerKind = ((OccurrenceKind)occurrence.Kind).ToString().ToLowerInvariant(), TryNumber = 1,
    };

    internal static AuditEntry Entry(RequestTransaction tx, Binding binding, Triggered occurrence) => new()
    {
        TenantId = binding.TenantId, Environment = binding.Environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.Run),
        ObjectKind = "occurrence", ObjectId = $"{binding.BindingId}/{occurrence.SlotKey}", Reason = occurrence.Reason,
        After = AuditEntry.Json(new { State = "queued", BusinessDate = occurrence.BusinessDate.ToString("O", CultureInfo.InvariantCulture) }),
    };
}
