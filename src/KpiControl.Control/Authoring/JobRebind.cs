using System.Globalization;
using KpiControl.Control.Audit;
using KpiControl.Control.Catalog;
using KpiControl.Control.Changes;
using KpiControl.Control.Drift;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Authoring;

/// <param name="Activate">A first binding that waited for its approval begins to run.</param>
/// <param name="ChangeId">The change that was approved; 0 where policy asks for none.</param>
/// <param name="BreaksGlass">Windows and freezes do not hold it back.</param>
/// <param name="IsRelease">False: nothing that fires changes, so windows and freezes are not asked.</param>
/// <param name="As">What whoever puts it in force did: the verb that is audited.</param>
/// <param name="Approvals">Who agreed, each with the capacity.</param>
internal sealed record Rebinding(string Reason, bool Activate = false, long ChangeId = 0, bool BreaksGlass = false, bool IsRelease = true, Verb As = Verb.Update, params IReadOnlyList<string> Approvals);

/// <summary>Puts a definition, or an edited schedule, in force: the one place where a binding gets its next revision.</summary>
internal static class JobRebind
{
    /// <param name="binding">Held for the transaction.</param>
    /// <returns>The revision in force from now on.</returns>
    public static async Task<int> ApplyAsync(RequestTransaction tx, Binding binding, CheckedJob job, Rebinding how)
    {
        var before = await JobStore.FindAsync(tx, binding.BindingId);
        await ApplyAsync(tx, [new JobToRebind(binding, ArtifactReader.ReadCanonical(before.CanonicalJson)!, job, how)]);
        return binding.Revision + 1;
    }

    /// <param name="jobs">Their bindings are held for the transaction.</param>
    public static async Task ApplyAsync(RequestTransaction tx, IReadOnlyList<JobToRebind> jobs)
    {
        if (jobs.Count == 0)
            return;
        var defIds = await DefinitionStore.PutAsync(tx, [.. jobs.Select(job => job.Job)]);
        await CalendarPins.HoldAsync(tx, jobs.Select(job => job.Job));
        if (!await PlacementStore.RebindAsync(tx, defIds, jobs))
            throw new InvalidOperationException("A binding changed while it was held.");
        var standing = await Overrides.Overrides.ReconcileAsync(tx, [.. jobs.Select(job => (job.Binding, job.Job))]);
        List<BoundArtifact> bound = [.. jobs.Select(job => new BoundArtifact(job.Binding.BindingId, job.Job.Job))];
        await PlacementStore.ReplaceDependenciesAsync(tx, bound);
        await PlacementStore.ReplacePromisesAsync(tx, bound);
        await WriteBackStore.ApplyAsync(tx, [.. jobs.Select(job => new EnteredJob(job.Binding.BindingId, job.Binding.ContentHash, job.How.Reason))]);
        await PutInForceAsync(tx, [.. jobs.Select(job => new EnteringJob(job.Binding, Edited(job, defIds) with { OverridesJson = standing.GetValueOrDefault(job.Binding.BindingId) }, job.WasJob, job.Job.Job, job.How))]);
    }

    /// <summary>Not scheduled any more, and marked as pruned; runs and revisions stay.</summary>
    /// <param name="jobs">Each binding, held for the transaction, with what it is bound to.</param>
    public static async Task RetireAsync(RequestTransaction tx, IReadOnlyList<(Binding Binding, JobArtifact Job)> jobs, Rebinding how)
    {
        if (jobs.Count == 0)
            return;
        if (!await PlacementStore.RetireAsync(tx, [.. jobs.Select(job => job.Binding)]))
            throw new InvalidOperationException("A binding changed while it was held.");
        await WriteBackStore.TakeBackAsync(tx, [.. jobs.Select(job => job.Binding)], how.Reason);
        await PutInForceAsync(tx, [.. jobs.Select(job => new EnteringJob(job.Binding, job.Binding with { ActiveFlag = false }, job.Job, job.Job, how))]);
    }

    /// <summary>The revisions, their audit rows and the cursors, of bindings whose rows say what is edited already.</summary>
    public static async Task PutInForceAsync(RequestTransaction tx, IReadOnlyList<EnteringJob> entering)
    {
        foreach (var (tenant, environment) in entering.Where(job => job.How is { BreaksGlass: false, IsRelease: true }).Select(job => (job.Was.TenantId, job.Was.Environment)).Distinct())
            await ReleaseGate.DemandAsync(tx, tenant, environment);
        var lanes = await CursorStore.LanesAsync(tx, entering.SelectMany(job => job.Priorities().Select(priority => (job.Was.Region, priority))));
        var cursors = await CursorStore.LockAsync(tx, [.. entering.Select(job => job.Was.BindingId)]);
        await PlacementStore.ReviseAsync(tx, [.. entering.Select(job =>
            new NewRevision(job.Was.BindingId, BoundJob.Schedule(job.Job, job.Edited).ZoneVersion, job.How.Reason, cursors[job.Was.BindingId].Now))]);
        await AuditStore.AppendAsync(tx, [.. entering.Select(job => new AuditEntry
        {
            TenantId = job.Was.TenantId, Environment = job.Was.Environment, Actor = tx.Caller.Principal, Verb = job.How.As.ToString(), ObjectKind = "binding",
            ObjectId = job.Was.BindingId.ToString(CultureInfo.InvariantCulture), Reason = job.How.Reason, Before = Facts(job.Was, null),
            After = Facts(job.Edited with { Revision = job.Was.Revision + 1 }, job.How),
        })]);
        await CursorMove.ApplyAsync(tx, entering, cursors, lanes);
        await PlacementStore.ReplanClocksAsync(tx, [.. entering.Select(job => job.Was.BindingId)],
            [.. entering.Where(job => job.Edited.ActiveFlag && !job.Was.ActiveFlag).Select(job => job.Was.BindingId)]);
    }

    private static Binding Edited(JobToRebind job, IReadOnlyDictionary<string, long> defIds)
    {
        var (artifact, hash) = (job.Job.Job, job.Job.Reading.ContentHash!);
        return job.Binding with
        {
            DefId = defIds[hash], ContentHash = hash, ScheduleCron = BoundJob.Cron(artifact), Timezone = artifact.Schedule.Timezone,
            KpiId = artifact.KpiId, ContractVersion = artifact.ContractVersion, ScheduleExtra = BoundJob.ScheduleExtra(artifact), ScheduleOverridden = false,
            ActiveFlag = job.Binding.ActiveFlag || job.How.Activate,
            Calendar = job.Job.Calendar?.Name, CalendarVersion = job.Job.Calendar?.Version, CalendarJson = job.Job.Calendar?.CanonicalJson,
        };
    }

    private static string Facts(Binding b, Rebinding? how) =>
        b.OverridesJson is { } overrides ? $"{Plain(b, how)[..^1]},\"overrides\":{overrides}}}" : Plain(b, how);

    private static string Plain(Binding b, Rebinding? how) => how is { ChangeId: > 0 }
        ? AuditEntry.Json(new { b.Revision, b.ContentHash, b.Region, b.KpiId, b.ContractVersion, b.ScheduleCron, b.Timezone, b.ActiveFlag, b.ScheduleOverridden, b.Calendar, b.CalendarVersion, how.ChangeId, how.Approvals })
        : AuditEntry.Json(new { b.Revision, b.ContentHash, b.Region, b.KpiId, b.ContractVersion, b.ScheduleCron, b.Timezone, b.ActiveFlag, b.ScheduleOverridden, b.Calendar, b.CalendarVersion });
}

/// <param name="WasJob">What is bound.</param>
internal sealed record JobToRebind(Binding Binding, JobArtifact WasJob, CheckedJob Job, Rebinding How);

/// <summary>A job whose binding's row is edited already, before and after.</summary>
internal sealed record EnteringJob(Binding Was, Binding Edited, JobArtifact WasJob, JobArtifact Job, Rebinding How)
{
    public int PriorityAt(DateTimeOffset now) => Edited.Overrides.Priority(Job, now);

    /// <summary>The one in force, and the one that comes back when nothing stands over it.</summary>
    public IEnumerable<int> Priorities() => [PriorityAt(DateTimeOffset.MinValue), Job.Run.Priority];
}
