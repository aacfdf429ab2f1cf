using System.Globalization;
using KpiControl.Control.Audit;
using KpiControl.Control.Authoring;
using KpiControl.Control.Drift.Stores;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Drift;

/// <summary>Ends a drift, one way or the other.</summary>
internal static class Reconciles
{
    public static async Task<ReconcileJobResponse> ReconcileAsync(RequestTransaction tx, ReconcileJobRequest request)
    {
        if (request.Direction is not ("promote" or "roll_back"))
            throw Reject.Invalid("direction", "is neither promote (bind what the store holds) nor roll_back (write what is bound to the store)");
        var binding = await BindingLookup.ResolveForEditAsync(tx, new(request.BindingId, request.Tenant, request.Environment, request.JobId), Verb.Rollback);
        Etags.Demand(request.Etag, binding.Revision);
        var row = await DriftReads.RowAsync(tx, binding);
        if (request.StoreHash.Length > 0 && request.StoreHash != (row.StoreHash ?? ""))
            throw Reject.Precondition("DRIFT_MOVED", Subject(binding), $"The store does not hold {request.StoreHash} any more, but {row.StoreHash ?? "nothing that can be read"}; look at it again.");
        return request.Direction == "promote" ? await PromoteAsync(tx, binding, row, request) : await RollBackAsync(tx, binding, row, request);
    }

    private static async Task<ReconcileJobResponse> PromoteAsync(RequestTransaction tx, Binding binding, DriftRow row, ReconcileJobRequest request)
    {
        if (row.StoreHash == row.BoundHash && row.DefinitionHash == row.BoundHash)
            return Done(binding);
        var stored = await DriftStore.LadderAsync(tx, binding.BindingId, row.Store, row.Path);
        if (row.State is not ("drifted" or "pending_write") || stored.StoreContent is not { } content || row.StoreHash == row.BoundHash)
            throw Reject.Precondition("NOTHING_TO_PROMOTE", Subject(binding), $"There is nothing in the store that could be bound, the job is {row.State}: {DriftWords.Of(row)}.");
        var updated = await JobUpdate.UpdateAsync(tx, new UpdateJobRequest
        {
            BindingId = binding.BindingId, Format = stored.StoreFormat, Content = content, ValidateOnly = request.ValidateOnly,
            Reason = Because($"promoted from {row.Store}:{row.Path}{(row.StoreCommit is { } commit ? $" at {commit}" : "")}", request.Reason),
        });
        return new ReconcileJobResponse { BindingId = binding.BindingId, Outcome = updated.NeedsApproval ? "proposed" : "rebound", ChangeId = updated.ChangeId, Etag = updated.Etag };
    }

    private static async Task<ReconcileJobResponse> RollBackAsync(RequestTransaction tx, Binding binding, DriftRow row, ReconcileJobRequest request)
    {
        if (!row.Configured)
            throw Reject.Precondition("STORE_NOT_CONFIGURED", row.Store, $"{row.Store} is not configured any more: nobody can write to it.");
        if (row.Copies is not null || binding.IsUnreleased || row.DefinitionHash != row.BoundHash)
            throw Reject.Precondition("NOTHING_TO_ROLL_BACK", Subject(binding), binding.IsUnreleased ? "What is bound was never released: it waits for its first approval." : $"{DriftWords.Of(row)}.");
        if (row.StoreHash == row.BoundHash && row.Problem is null && row.State != "pending_write")
            return Done(binding);
        var write = await WriteBackStore.AskAsync(tx, new NewWrite(binding.BindingId, binding.TenantId, row.Store, await PathAsync(tx, binding, row, request.Path), binding.DefId, binding.ContentHash, row.StoreVersion, request.Reason, tx.Caller.Principal));
        await AuditStore.AppendAsync(tx, new AuditEntry
        {
            TenantId = binding.TenantId, Environment = binding.Environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.Rollback), ObjectKind = "binding", ObjectId = Subject(binding), Reason = request.Reason,
            Before = AuditEntry.Json(new { row.Store, row.Path, row.StoreHash, row.StoreCommit }), After = AuditEntry.Json(new { write.WriteId, write.Store, write.Path, write.ContentHash, write.StoreState }),
        });
        await DriftStore.AskAsync(tx, row.Store, readAll: false);
        var answer = new ReconcileJobResponse { BindingId = binding.BindingId, Outcome = "pending_write", Etag = binding.Etag, Write = write.ToProto() };
        // Ids of rows that are rolled back would be somebody else's later.
        if (request.ValidateOnly)
            answer.Write.WriteId = 0;
        return answer;
    }

    // Where it is, else where it was, else where it is wanted.
    private static async Task<string> PathAsync(RequestTransaction tx, Binding binding, DriftRow row, string wanted)
    {
        if ((row.Path ?? row.RefPath) is { } known)
            return wanted.Length == 0 || wanted == known ? known : throw Reject.Invalid("path", $"is another one than the job's, which is {known}");
        var path = wanted.Length > 0 ? wanted : $"{binding.JobId}.yaml";
        var store = await DriftStore.FindAsync(tx, row.Store) ?? throw new InvalidOperationException("A store that a job follows is gone.");
        var isPlain = !path.StartsWith('/') && !path.Contains('\\', StringComparison.Ordinal) && path.Split('/').All(part => part is not ("" or "." or ".."));
        return isPlain && new PathPatterns(store.Paths).Select([path], one => one).Count == 1 ? path
            : throw Reject.Invalid("path", $"{path} is not one of {row.Store}'s artifacts, which are {string.Join(", ", store.Paths)}");
    }

    private static ReconcileJobResponse Done(Binding binding) => new() { BindingId = binding.BindingId, Outcome = "in_sync", Etag = binding.Etag };

    private static string Because(string what, string reason) => reason.Length > 0 ? $"{what}: {reason}" : what;

    private static string Subject(Binding binding) => binding.BindingId.ToString(CultureInfo.InvariantCulture);
}
