using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Audit;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Fleet;

/// <summary>Shows and raises the cluster's epoch.</summary>
internal static class Epochs
{
    public static async Task<Epoch> GetAsync(RequestTransaction tx) => ToProto(await EpochStore.FindAsync(tx));

    public static async Task<Epoch> BumpAsync(RequestTransaction tx, BumpEpochRequest request)
    {
        // It concerns the leases of every tenant: a tenant's own administrator is not asked.
        if (!tx.Caller.MayEverywhere(Verb.Resume))
            throw Reject.Denied($"{nameof(Verb.Resume)} in every tenant and environment");
        var reason = RequestFields.Required("reason", request.Reason);
        var bumped = await EpochStore.BumpAsync(tx);
        await AuditStore.AppendAsync(tx, new AuditEntry
        {
            TenantId = "*", Actor = tx.Caller.Principal, Verb = nameof(Verb.Resume), ObjectKind = "cluster", ObjectId = "epoch", Reason = reason,
            Before = AuditEntry.Json(new { Epoch = bumped.WasEpoch, Timeline = bumped.WasTimeline }), After = AuditEntry.Json(new { bumped.Epoch, bumped.Timeline }),
        });
        return ToProto(bumped);
    }

    private static Epoch ToProto(EpochRow row) => new()
    {
        Epoch_ = row.Epoch, Timeline = row.Timeline, WrittenTimeline = row.Written, Stands = row.Timeline == row.Written,
        BumpedAt = Timestamp.FromDateTimeOffset(row.BumpedAt),
    };
}
