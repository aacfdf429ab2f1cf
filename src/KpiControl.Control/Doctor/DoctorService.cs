using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Control.Database;
using KpiControl.Control.Hosting;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Doctor;

/// <summary>Asks each check in turn. The invariants, and whether alerts reach whom they are for.</summary>
internal sealed class DoctorService(DoctorStore store, TimeProvider time) : Protocol.V1.DoctorService.DoctorServiceBase
{
    public override async Task<DiagnoseResponse> Diagnose(DiagnoseRequest request, ServerCallContext context)
    {
        var caller = context.Caller();
        // The checks are about every tenant's rows, and their findings name them.
        if (caller.TenantsFor(Verb.Diagnose) is not null)
            throw Reject.Denied($"{nameof(Verb.Diagnose)} in every tenant");
        var response = new DiagnoseResponse();
        foreach (var invariant in Invariants.All.Append(DoctorStore.AlertsArrive))
            response.Checks.Add(await CheckAsync(invariant, context.CancellationToken));
        return response;
    }

    // A transaction each: a check that was stopped takes nothing with it, and none keeps a snapshot for the others.
    private async Task<Diagnosis> CheckAsync(Invariant invariant, CancellationToken token)
    {
        var began = time.GetTimestamp();
        var broken = await store.BrokenAsync(invariant, token);
        var diagnosis = new Diagnosis
        {
            Kind = invariant.Number == 0 ? "alerts" : FormattableString.Invariant($"invariant {invariant.Number}"), Name = invariant.Name, Took = Duration.FromTimeSpan(time.GetElapsedTime(began)),
            Outcome = broken is null ? "unknown" : broken.Count == 0 ? "ok" : "broken", More = broken?.Count > DoctorStore.MostRows,
        };
        diagnosis.Rows.AddRange(broken?.Take(DoctorStore.MostRows) ?? []);
        return diagnosis;
    }
}
