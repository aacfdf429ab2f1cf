using System.Globalization;
using KpiControl.Control.Audit;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Authoring;

/// <param name="Activate">A first binding that waited for its approval begins to run.</param>
/// <param name="ChangeId">The change that was approved; 0 where policy asks for none.</param>
/// <param name="Approvals">Who agreed, each with the capacity.</param>
internal sealed record Rebinding(string Reason, bool Activate = false, long ChangeId = 0, params IReadOnlyList<string> Approvals);

/// <summary>Puts a definition, or an edited schedule, in force: the one place where a binding gets its next revision.</summary>
internal static class JobRebind
{
    /// <param name="binding">Held for the transaction.</param>
    /// <returns>The revision in force from now on.</returns>
    public static async Task<int> ApplyAsync(RequestTransaction tx, Binding binding, CheckedJob job, Rebinding how)
    {
        var before = await JobStore.FindAsync(tx, binding.BindingId);
        var defId = await DefinitionStore.PutAsync(tx, job);
        if (!await PlacementStore.RebindAsync(tx, binding, defId, job, how.Activate))
            throw new InvalidOperationException("A binding changed while it was held.");
        await PlacementStore.ReplaceDependenciesAsync(tx, binding.BindingId, job.Job);
        await PlacementStore.ReplacePromisesAsync(tx, binding.BindingId, job.Job);
        var edited = binding with
        {
            DefId = defId, ContentHash = job.Reading.ContentHash!, ScheduleCron = BoundJob.Cron(job.Job), Timezone = job.Job.Schedule.Timezone,
            KpiId = job.Job.KpiId, ContractVersion = job.Job.ContractVersion, ScheduleExtra = BoundJob.ScheduleExtra(job.Job), ScheduleOverridden = false,
            ActiveFlag = binding.ActiveFlag || how.Activate,
        };
        var wasJob = ArtifactReader.Read(before.CanonicalJson, ArtifactFormat.Json).Job!;
        await PutInForceAsync(tx, binding, edited, wasJob, job.Job, how);
        return binding.Revision + 1;
    }

    /// <summary>The revision, its audit row and the cursor, of a binding whose row says <paramref name="edited"/> already.</summary>
    public static async Task PutInForceAsync(RequestTransaction tx, Binding was, Binding edited, JobArtifact wasJob, JobArtifact job, Rebinding how)
    {
        var schedule = BoundJob.Schedule(JobEdit.InForce(job, edited), was.BindingId);
        await PlacementStore.ReviseAsync(tx, was.BindingId, schedule.ZoneVersion, how.Reason);
        await AuditStore.AppendAsync(tx, new AuditEntry
        {
            TenantId = was.TenantId, Environment = was.Environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.Update), ObjectKind = "binding",
            ObjectId = was.BindingId.ToString(CultureInfo.InvariantCulture), Reason = how.Reason, Before = Facts(was, null), After = Facts(edited with { Revision = was.Revision + 1 }, how),
        });
        var lane = await CursorStore.LaneAsync(tx, was.Region, job.Run.Priority);
        await CursorMove.ApplyAsync(tx, was, edited, wasJob, job, lane);
        await PlacementStore.ReplanClocksAsync(tx, was.BindingId, activated: edited.ActiveFlag && !was.ActiveFlag);
    }

    private static string Facts(Binding b, Rebinding? how) => how is { ChangeId: > 0 }
        ? AuditEntry.Json(new { b.Revision, b.ContentHash, b.KpiId, b.ContractVersion, b.ScheduleCron, b.Timezone, b.ActiveFlag, b.ScheduleOverridden, how.ChangeId, how.Approvals })
        : AuditEntry.Json(new { b.Revision, b.ContentHash, b.KpiId, b.ContractVersion, b.ScheduleCron, b.Timezone, b.ActiveFlag, b.ScheduleOverridden });
}
