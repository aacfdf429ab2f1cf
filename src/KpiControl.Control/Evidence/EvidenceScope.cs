using System.Globalization;
using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Runs;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Evidence;

/// <summary>What a bundle is asked to prove.</summary>
/// <param name="Words">As the statement tells it.</param>
/// <param name="Runs">Every attempt, one row each.</param>
internal sealed record EvidenceScope(string Tenant, IReadOnlyDictionary<string, string> Words, IReadOnlyList<RunRow> Runs)
{
    public const int MostRuns = 1000;

    public static async Task<EvidenceScope> OfAsync(RequestTransaction tx, ExportEvidenceRequest request)
    {
        if (request.RunId != 0 || request.AttemptId.Length > 0)
            return await OfRunAsync(tx, request);
        var (first, last) = Period(request);
        var (tenant, bindings, words) = request.KpiId.Length > 0 ? await OfKpiAsync(tx, request) : await OfJobAsync(tx, request);
        words["first_date"] = Text(first);
        words["last_date"] = Text(last);
        var runs = await RunStore.OfPeriodAsync(tx, bindings, first, last, MostRuns + 1);
        if (runs.Count > MostRuns)
            throw Reject.TooLarge($"The period holds more than {MostRuns} runs; ask for a shorter one.");
        if (runs.Count == 0)
            throw Reject.NotFound($"A run from {Text(first)} to {Text(last)}");
        return new EvidenceScope(tenant, words, [.. runs.DistinctBy(run => run.RunId)]);
    }

    private static async Task<EvidenceScope> OfRunAsync(RequestTransaction tx, ExportEvidenceRequest request)
    {
        var (run, what) = await RunHistory.FindAsync(tx, new GetRunRequest { RunId = request.RunId, AttemptId = request.AttemptId });
        if (run is null)
            throw Reject.NotFound(what);
        tx.Demand(Verb.Export, run.TenantId, run.Environment, what);
        var attempts = await RunStore.OfSlotAsync(tx, run.BindingId, run.Slot);
        return new EvidenceScope(run.TenantId, new Dictionary<string, string> { ["run_id"] = run.RunId.ToString(CultureInfo.InvariantCulture) },
            [.. attempts.Prepend(run).Concat(await OtherViewsAsync(tx, run)).DistinctBy(r => r.RunId)]);
    }

    // A number in one view says nothing without the other: the run as reported, and each that restated it.
    private static async Task<IReadOnlyList<RunRow>> OtherViewsAsync(RequestTransaction tx, RunRow run)
    {
        var reported = run.RestatesRunId is { } of ? (await RunStore.OfRunsAsync(tx, run.BindingId, [of])).SingleOrDefault() : run;
        return reported is null ? [] : [reported, .. reported.RestatedBy is { Length: > 0 } runs ? await RunStore.OfRunsAsync(tx, run.BindingId, runs) : []];
    }

    private static async Task<(string, long[], Dictionary<string, string>)> OfJobAsync(RequestTransaction tx, ExportEvidenceRequest request)
    {
        var binding = await BindingLookup.ResolveAsync(tx, new BindingKey(request.BindingId, request.Tenant, request.Environment, request.JobId), Verb.Export);
        return (binding.TenantId, [binding.BindingId], new() { ["environment"] = binding.Environment, ["job_id"] = binding.JobId });
    }

    private static async Task<(string, long[], Dictionary<string, string>)> OfKpiAsync(RequestTransaction tx, ExportEvidenceRequest request)
    {
        var environment = RequestFields.Environment(request.Environment);
        var tenant = RequestFields.Tenant(tx.Caller, request.Tenant, Verb.Export);
        var what = $"The KPI {tenant}/{environment}/{request.KpiId}";
        tx.Demand(Verb.Export, tenant, environment, what);
        var bindings = await EvidenceStore.BindingsOfKpiAsync(tx, tenant, environment, request.KpiId);
        if (bindings.Count == 0)
            throw Reject.NotFound(what);
        return (tenant, [.. bindings], new() { ["environment"] = environment, ["kpi_id"] = request.KpiId });
    }

    private static (DateOnly First, DateOnly Last) Period(ExportEvidenceRequest request)
    {
        var first = RequestFields.BusinessDate(request.FirstDate, "first_date") ?? throw Reject.Invalid("first_date", "is missing: name a run by run_id or attempt_id, or a period by first_date and last_date");
        var last = RequestFields.BusinessDate(request.LastDate, "last_date") ?? first;
        return last >= first ? (first, last) : throw Reject.Invalid("last_date", "is before first_date");
    }

    private static string Text(DateOnly date) => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
