using System.Globalization;
using KpiControl.Control.Audit;
using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Operations;

/// <summary>Pausing and resuming: operations, audited, never changes that need approval.</summary>
internal static class Pauses
{
    public static async Task<Job> PauseAsync(RequestTransaction tx, PauseJobRequest request)
    {
        var binding = await BindingLookup.ResolveForEditAsync(tx, new(request.BindingId, request.Tenant, request.Environment, request.JobId), Verb.Pause);
        Etags.Demand(request.Etag, binding.Revision);
        await PauseAsync(tx, binding, request.PausedUntil is null ? null : Instant(request.PausedUntil), request.Reason);
        return await JobReads.GetAsync(tx, binding.BindingId);
    }

    public static async Task<Job> ResumeAsync(RequestTransaction tx, ResumeJobRequest request)
    {
        var binding = await BindingLookup.ResolveForEditAsync(tx, new(request.BindingId, request.Tenant, request.Environment, request.JobId), Verb.Resume);
        Etags.Demand(request.Etag, binding.Revision);
        if (!await ResumeAsync(tx, binding, request.Reason))
            throw Reject.Precondition("NOT_PAUSED", $"{binding.BindingId}", "The job is not paused.");
        return await JobReads.GetAsync(tx, binding.BindingId);
    }

    /// <param name="until">Null: until resumed.</param>
    public static async Task PauseAsync(RequestTransaction tx, Binding binding, DateTimeOffset? until, string reason)
    {
        if (until <= await CursorStore.NowAsync(tx))
            throw Reject.Invalid("paused_until", "lies in the past: leave it out to pause until resumed");
        var was = await PauseStore.PauseAsync(tx, binding.BindingId, until, reason);
        await AuditStore.AppendAsync(tx, Entry(tx, binding, Verb.Pause, reason) with
        {
            Before = AuditEntry.Json(new { Paused = was.WasPaused }),
            After = AuditEntry.Json(new { Paused = true, PausedUntil = until?.UtcDateTime.ToString("O", CultureInfo.InvariantCulture) ?? "infinity" }),
        });
    }

    /// <returns>False where it is not paused.</returns>
    public static async Task<bool> ResumeAsync(RequestTransaction tx, Binding binding, string reason)
    {
        if (await PauseStore.ResumeAsync(tx, binding.BindingId, reason) is not { } was)
            return false;
        await AuditStore.AppendAsync(tx, Entry(tx, binding, Verb.Resume, reason) with
        {
            Before = AuditEntry.Json(new { Paused = true }), After = AuditEntry.Json(new { Paused = false }),
        });
        await TellAsync(tx, was.Lane);
        return true;
    }

    /// <summary>Whatever the pause held back may go on: slots, what was ready, what queued.</summary>
    public static async Task TellAsync(RequestTransaction tx, short lane)
    {
        foreach (var what in new[] { "lane", "ready", "queue" })
            await CursorStore.TellAsync(tx, string.Create(CultureInfo.InvariantCulture, $"{what} {lane}"));
    }

    private static DateTimeOffset Instant(Google.Protobuf.WellKnownTypes.Timestamp at)
    {
        try
        {
            return at.ToDateTimeOffset();
        }
        catch (InvalidOperationException)
        {
            throw Reject.Invalid("paused_until", "is not an instant");
        }
    }

    private static AuditEntry Entry(RequestTransaction tx, Binding binding, Verb verb, string reason) => new()
    {
        TenantId = binding.TenantId, Environment = binding.Environment, Actor = tx.Caller.Principal, Verb = verb.ToString(),
        ObjectKind = "binding", ObjectId = binding.BindingId.ToString(CultureInfo.InvariantCulture), Reason = reason,
    };
}
