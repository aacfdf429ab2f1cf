using KpiControl.Control.Audit;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Drift;

/// <summary>A pass that somebody wants at once.</summary>
internal static class StoreSyncs
{
    public static async Task<ArtifactStore> AskAsync(RequestTransaction tx, SyncStoreRequest request)
    {
        var store = await DriftReads.StoreAsync(tx, request.Store, Verb.Update);
        if (!store.Configured)
            throw Reject.Precondition("STORE_NOT_CONFIGURED", store.Store, $"{store.Store} is not configured any more: Drift:Stores does not have it, and nobody can read it.");
        await DriftStore.AskAsync(tx, store.Store, request.ReadAll);
        await AuditStore.AppendAsync(tx, new AuditEntry
        {
            TenantId = store.TenantId, Environment = store.Environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.Update), ObjectKind = "store", ObjectId = store.Store,
            After = AuditEntry.Json(new { Asked = "sync", request.ReadAll }),
        });
        return (await DriftReads.StoreAsync(tx, request.Store, Verb.Update)).ToProto();
    }
}
