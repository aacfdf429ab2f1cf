using System.Globalization;
using KpiControl.Control.Audit;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;

namespace KpiControl.Control.Authoring;

/// <summary>Which source applies a job, and so may take it away when it no longer has it.</summary>
internal static class JobSources
{
    /// <param name="bindings">Held for the transaction.</param>
    public static async Task TakeAsync(RequestTransaction tx, IReadOnlyList<Binding> bindings, string source, string reason)
    {
        var taken = bindings.Where(binding => binding.Source != source).ToList();
        if (taken.Count == 0)
            return;
        await PlacementStore.OwnAsync(tx, [.. taken.Select(binding => binding.BindingId)], source);
        await AuditStore.AppendAsync(tx, [.. taken.Select(binding => new AuditEntry
        {
            TenantId = binding.TenantId, Environment = binding.Environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.Update), ObjectKind = "source",
            ObjectId = binding.BindingId.ToString(CultureInfo.InvariantCulture), Reason = reason, Before = AuditEntry.Json(new { binding.Source }), After = AuditEntry.Json(new { Source = source }),
        })]);
    }
}
