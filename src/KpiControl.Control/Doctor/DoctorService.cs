using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Control.Database;
using KpiControl.Control.Hosting;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Doctor;

/// <summary>Asks each check in turn. The invariants, whether alerts reach whom they are for, what waits for a review, and stores that nobody reads any more.</summary>
internal sealed class DoctorService(DoctorStore store, TimeProvider time) : Protocol.V1.DoctorService.DoctorServiceBase
{
    public override async Task<DiagnoseResponse> Diagnose(DiagnoseRequest request, ServerCallContext context)
    {
        var caller = context.Caller();
        // The checks are about every tenant's rows, and their findings name them.
        if (!caller.MayEverywhere(Verb.Diagnose))
            throw Reject.Denied($"{nameof(Verb.Diagnose)} in every tenant and environment");
        var response = new DiagnoseResponse();
        foreach (var invariant in Invariants.All)
            response.Checks.Add(await CheckAsync(FormattableString.Invariant($"invariant {invariant.Number}"), invariant, "broken", context.CancellationToken));
        response.Checks.Add(await CheckAsync("alerts", DoctorStore.AlertsArrive, "broken", context.CancellationToken));
        response.Checks.Add(await CheckAsync("reviews", DoctorStore.ReviewsClosed, "open", context.CancellationToken));
        response.Checks.Add(await CheckAsync("stores", DoctorStore.StoresConfigured, "open", context.CancellationToken));
        return response;
    }

    // A transaction each: a check that was stopped takes nothing with it, and none keeps a snapshot for the others.
    private async Task<Diagnosis> CheckAsync(string kind, Invariant invariant, string withRows, CancellationToken token)
    {
        var began = time.GetTimestamp();
        var broken = await store.BrokenAsync(invariant, token);
        var diagnosis = new Diagnosis
        {
            Kind = kind, Name = invariant.Name, Took = Duration.FromTimeSpan(time.GetElapsedTime(began)),
            Outcome = broken is null ? "unknown" : broken.Count == 0 ? "ok" : withRows, More = broken?.Count > DoctorStore.MostRows,
        };
        diagnosis.Rows.AddRange(broken?.Take(DoctorStore.MostRows) ?? []);
        return diagnosis;
    }
}
