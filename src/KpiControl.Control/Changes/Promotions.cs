using System.Globalization;
using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Changes;

/// <summary>Changes whose artifact is stored already: of another environment, or of an earlier time. They go the way of every other.</summary>
internal static class Promotions
{
    private static readonly string[] Ladder = ["dev", "stg", "prod"];

    public static async Task<Change> PromoteAsync(RequestTransaction tx, PromoteJobRequest request)
    {
        var binding = await BindingLookup.ResolveAsync(tx, new(request.BindingId, request.Tenant, request.Environment, request.JobId), Verb.Read);
        if (Array.IndexOf(Ladder, request.ToEnvironment) <= Array.IndexOf(Ladder, binding.Environment))
            throw Reject.Invalid("to_environment", $"must come after {binding.Environment} in dev, stg, prod");
        var row = await JobStore.FindAsync(tx, binding.BindingId);
        return await Proposals.ProposeAsync(tx, new ProposeChangeRequest
        {
            Environment = request.ToEnvironment, Region = request.Region, Format = row.Format, Content = row.Content,
            Reason = Because($"promoted from {binding.TenantId}/{binding.Environment}/{binding.JobId} {binding.Etag}", request.Reason), ValidateOnly = request.ValidateOnly,
        });
    }

    public static async Task<Change> RollBackAsync(RequestTransaction tx, RollBackJobRequest request)
    {
        var binding = await BindingLookup.ResolveForEditAsync(tx, new(request.BindingId, request.Tenant, request.Environment, request.JobId), Verb.Rollback);
        var earlier = await ChangeStore.EarlierAsync(tx, binding.BindingId, request.ToRevision)
            ?? throw Reject.Precondition("NOTHING_BEFORE", binding.BindingId.ToString(CultureInfo.InvariantCulture), request.ToRevision == 0
                ? "No other definition of this job was in force before."
                : $"Revision r{request.ToRevision} was not in force with another definition than the one that is bound.");
        return await Proposals.ProposeAsync(tx, new ProposeChangeRequest
        {
            Environment = binding.Environment, Region = binding.Region, Format = earlier.Format, Content = earlier.Content,
            Reason = Because(string.Create(CultureInfo.InvariantCulture, $"rolled back to r{earlier.Revision}"), request.Reason), ValidateOnly = request.ValidateOnly,
        });
    }

    private static string Because(string what, string reason) => reason.Length > 0 ? $"{what}: {reason}" : what;
}
