using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Tenants;

namespace KpiControl.Control.Changes;

/// <summary>Nothing is put in force outside of the policy's windows or in a freeze, by whatever door it comes; the database's clock decides.</summary>
internal static class ReleaseGate
{
    public static async Task DemandAsync(RequestTransaction tx, string tenant, string environment)
    {
        if ((await PolicyStore.HoursAsync(tx, tenant, environment)).Hold is not { } hold)
            return;
        var next = hold.Until is { } until ? $"from {ReleaseHours.Text(until)} on" : "once the policy has changed";
        throw Reject.Precondition(hold.Reason, $"{tenant}/{environment}",
            $"Releases of {tenant} in {environment} are held back by {hold.By}; this may be released {next}. Pausing and cancelling are possible meanwhile.");
    }
}
