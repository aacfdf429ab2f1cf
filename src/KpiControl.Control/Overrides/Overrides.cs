using System.Globalization;
using KpiControl.Control.Audit;
using KpiControl.Control.Authoring;
using KpiControl.Control.Catalog;
using KpiControl.Control.Hosting;
using KpiControl.Control.Operations;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Overrides;

/// <summary>Setting, ending and reconciling what stands over a definition: operations, audited, never changes that need approval.</summary>
/// <remarks>
/// Each is a revision of the binding, like every change of what is in force; running out is none, since a revision says itself until
/// when its overrides count. A pause is kept as a pause.
/// </remarks>
internal static class Overrides
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(90);

    public static async Task<Override> SetAsync(RequestTransaction tx, SetOverrideRequest request)
    {
        var binding = await ResolveAsync(tx, new(request.BindingId, request.Tenant, request.Environment, request.JobId), request.Kind, Verb.Pause, request.Etag, isSet: true);
        RequestFields.Required("reason", request.Reason);
        var until = await UntilAsync(tx, request);
        if (request.Kind == OverrideKind.Pause)
        {
            if (request.Value.Length > 0)
                throw Reject.Invalid("value", "is given: a pause has none");
            await Pauses.PauseAsync(tx, binding, until, request.Reason);
        }
        else
            await SetAsync(tx, binding, request.Kind, request.Value, until, request.Reason);
        return (await OverrideStore.LatestAsync(tx, binding.BindingId, request.Kind)).ToProto();
    }

    public static async Task<Override> ClearAsync(RequestTransaction tx, ClearOverrideRequest request)
    {
        var binding = await ResolveAsync(tx, new(request.BindingId, request.Tenant, request.Environment, request.JobId), request.Kind, Verb.Resume, request.Etag, isSet: false);
        if (request.Kind == OverrideKind.Tweak)
            return (await SetBackAsync(tx, binding, request.Reason)).ToProto();
        var cleared = request.Kind == OverrideKind.Pause
            ? await Pauses.ResumeAsync(tx, binding, request.Reason)
            : await ClearAsync(tx, binding, request.Kind, request.Reason);
        if (!cleared)
            throw Reject.Precondition("NOT_OVERRIDDEN", $"{binding.BindingId}", $"No override of the job's {request.Kind} stands: it ran out, or was never set.");
        return (await OverrideStore.LatestAsync(tx, binding.BindingId, request.Kind)).ToProto();
    }

    private static async Task<Binding> ResolveAsync(RequestTransaction tx, BindingKey key, string kind, Verb ofPauses, string etag, bool isSet)
    {
        var binding = await BindingLookup.ResolveForEditAsync(tx, key, Verb.ScheduleEdit);
        DemandKind(kind, isSet);
        if (kind == OverrideKind.Pause)
            tx.Demand(ofPauses, binding.TenantId, binding.Environment, string.Create(CultureInfo.InvariantCulture, $"The job {binding.BindingId}"));
        Etags.Demand(etag, binding.Revision);
        return binding;
    }

    /// <param name="isSet">A tweak is ended and listed here, and set by PUT of the job alone.</param>
    public static void DemandKind(string kind, bool isSet)
    {
        if (kind == OverrideKind.Tweak && isSet)
            throw Reject.Invalid("kind", "is a schedule without an end, which PUT of the job sets (schedule_cron, timezone); here it is schedule, with expires_at");
        if (kind is not (OverrideKind.Tweak or OverrideKind.Schedule or OverrideKind.Priority or OverrideKind.Timeout or OverrideKind.AlertRoute or OverrideKind.Pause))
            throw Reject.Invalid("kind", kind.Length == 0 ? "is missing: schedule, priority, timeout, alert_route or pause" : $"is none of schedule, priority, timeout, alert_route{(isSet ? "" : ", tweak")} and pause");
    }

    private static async Task<DateTimeOffset> UntilAsync(RequestTransaction tx, SetOverrideRequest request)
    {
        var until = request.ExpiresAt?.ToDateTimeOffset() ?? throw Reject.Invalid("expires_at", "is missing: an override stands until an instant; what is to stay goes into the artifact");
        var now = await CursorStore.NowAsync(tx);
        return until <= now ? throw Reject.Invalid("expires_at", "lies in the past")
            : until > now + Longest ? throw Reject.Invalid("expires_at", string.Create(CultureInfo.InvariantCulture, $"is more than {Longest.Days} days ahead: what is to stay so long goes into the artifact"))
            : until;
    }

    private static async Task SetAsync(RequestTransaction tx, Binding binding, string kind, string value, DateTimeOffset until, string reason)
    {
        if (!binding.ActiveFlag)
            throw Reject.Precondition("INACTIVE", $"{binding.BindingId}", "The job is not active: it waits for its approval (kpictl changes), or is retired (active_flag).");
        var (job, canonicalJson) = await DefinitionAsync(tx, binding);
        var kept = OverrideValue.Demand(kind, value, job, canonicalJson, KnownCalendars.Read(binding.CalendarJson));
        await AuditExpiredAsync(tx, binding, await OverrideStore.EndAsync(tx, "replaced", [(binding.BindingId, kind, reason)]));
        await OverrideStore.AddAsync(tx, binding, kind, kept, reason, until);
        var edited = await OverrideStore.ReviseAsync(tx, binding);
        if (kind == OverrideKind.Schedule && BoundJob.Schedule(job, edited).Next(await CursorStore.NowAsync(tx)) is var next && !(next < until))
            throw Reject.Invalid("value", "has no slot before the override runs out: to start nothing until then, pause the job");
        // Only a schedule changes what fires, and what fires changes in windows and outside of freezes alone, by whatever door.
        await PutInForceAsync(tx, binding, edited, job, reason, isRelease: kind == OverrideKind.Schedule);
    }

    private static async Task<bool> ClearAsync(RequestTransaction tx, Binding binding, string kind, string reason)
    {
        var ended = await OverrideStore.EndAsync(tx, "cleared", [(binding.BindingId, kind, reason)]);
        if (!ended.Any(was => was.Ending == "cleared"))
            return false;
        var (job, _) = await DefinitionAsync(tx, binding);
        // Back to what was released.
        await PutInForceAsync(tx, binding, await OverrideStore.ReviseAsync(tx, binding), job, reason, isRelease: false);
        return true;
    }

    // The schedule is the released definition's again; what is to stand instead is an override or another definition.
    private static async Task<OverrideRow> SetBackAsync(RequestTransaction tx, Binding binding, string reason)
    {
        if (!binding.ScheduleOverridden)
            throw Reject.Precondition("NOT_OVERRIDDEN", $"{binding.BindingId}", "No tweak stands: the job's schedule is its definition's.");
        var stood = await OverrideStore.LatestAsync(tx, binding.BindingId, OverrideKind.Tweak);
        var row = await JobStore.FindAsync(tx, binding.BindingId);
        var job = ArtifactReader.ReadCanonical(row.CanonicalJson)!;
        var edited = binding with { ScheduleCron = BoundJob.Cron(job), Timezone = job.Schedule.Timezone, ScheduleOverridden = false };
        if (!await PlacementStore.TweakAsync(tx, edited))
            throw new InvalidOperationException("A binding changed while it was held.");
        await PutInForceAsync(tx, binding, edited, job, reason, isRelease: false);
        return stood with { EndedAt = await CursorStore.NowAsync(tx), EndedBy = tx.Caller.Principal, Ending = "cleared", EndReason = reason };
    }

    /// <summary>
    /// What stands over definitions that others take the place of: it stays until it runs out, but for what has nothing to stand over
    /// any more, which ends, audited.
    /// </summary>
    /// <param name="jobs">Bindings, held for the transaction, and what they are to be bound to.</param>
    /// <returns>The bindings with what still stands.</returns>
    public static async Task<IReadOnlyDictionary<long, string?>> ReconcileAsync(RequestTransaction tx, IReadOnlyList<(Binding Binding, CheckedJob Job)> jobs)
    {
        var overridden = jobs.Where(one => one.Binding.OverridesJson is not null).ToDictionary(one => one.Binding.BindingId);
        if (overridden.Count == 0)
            return new Dictionary<long, string?>();
        var now = await CursorStore.NowAsync(tx);
        var obsolete = overridden.Values.SelectMany(one => one.Binding.Overrides.At(now)
            .Select(over => (one.Binding.BindingId, over.Kind, Why: OverrideValue.Obsolete(over, one.Job.Job, one.Job.Reading.CanonicalJson!, one.Job.Calendar?.Understand()))))
            .Where(one => one.Why is not null).Select(one => (one.BindingId, one.Kind, one.Why!)).ToList();
        foreach (var ended in await OverrideStore.EndAsync(tx, "reconciled", obsolete))
            await AuditStore.AppendAsync(tx, Entry(tx, overridden[ended.BindingId].Binding, ended.EndReason) with
            {
                Before = AuditEntry.Json(new { Override = Facts(ended) }), After = AuditEntry.Json(new { Override = (object?)null, ended.Ending }),
            });
        return await OverrideStore.CopyAsync(tx, [.. overridden.Keys.Order()]);
    }

    private static Task PutInForceAsync(RequestTransaction tx, Binding was, Binding edited, JobArtifact job, string reason, bool isRelease) =>
        JobRebind.PutInForceAsync(tx, [new EnteringJob(was, edited, job, job, new Rebinding(reason, IsRelease: isRelease, As: Verb.ScheduleEdit))]);

    private static async Task<(JobArtifact Job, string CanonicalJson)> DefinitionAsync(RequestTransaction tx, Binding binding)
    {
        var row = await JobStore.FindAsync(tx, binding.BindingId);
        var job = ArtifactReader.Read(row.CanonicalJson, ArtifactFormat.Json).Job ?? throw new InvalidOperationException($"The definition of binding {binding.BindingId} cannot be read.");
        // Under a tweak of the binding's own it is the tweak that is overridden.
        return (job with { Schedule = JobEdit.InForce(job, binding) }, row.CanonicalJson);
    }

    // One that ran out unnoticed is audited by whoever notices.
    private static async Task AuditExpiredAsync(RequestTransaction tx, Binding binding, IReadOnlyList<EndedOverride> ended)
    {
        foreach (var was in ended.Where(was => was.Ending == "expired"))
            await AuditStore.AppendAsync(tx, Entry(tx, binding, "expired") with
            {
                Actor = "system", Before = AuditEntry.Json(new { Override = Facts(was) }), After = AuditEntry.Json(new { Override = (object?)null }),
            });
    }

    private static AuditEntry Entry(RequestTransaction tx, Binding binding, string reason) => new()
    {
        TenantId = binding.TenantId, Environment = binding.Environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.ScheduleEdit),
        ObjectKind = "binding", ObjectId = binding.BindingId.ToString(CultureInfo.InvariantCulture), Reason = reason,
    };

    private static object Facts(EndedOverride was) => new { was.OverrideId, was.Kind, was.Value, ExpiresAt = Text(was.ExpiresAt) };

    private static string Text(DateTimeOffset at) => at.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
}
