using KpiControl.Control.Authoring;
using KpiControl.Control.Database;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Runs;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Provenance;

/// <summary>Where numbers come from, and what they go into.</summary>
internal sealed class LineageReads(Databases databases)
{
    public async Task<LineageGraph> GetAsync(Caller caller, GetLineageRequest request, CancellationToken token)
    {
        var (bounds, up) = (LineageBounds.Of(request), IsUp(request));
        await using var tx = await RequestTransaction.BeginAsync(databases, caller, token);
        return Subject(request) switch
        {
            "run_id" => await OfRunAsync(tx, request, bounds, up),
            "job_id" => await OfJobAsync(tx, request, bounds, up),
            "kpi_id" => await OfKpiAsync(tx, request, bounds, up),
            "dataset" => await OfSourceAsync(tx, request, bounds, "gdp", request.Dataset),
            _ => await OfSourceAsync(tx, request, bounds, "signal", request.Signal),
        };
    }

    private static string Subject(GetLineageRequest request)
    {
        var named = new[]
        {
            ("run_id", request.RunId != 0 || request.AttemptId.Length > 0), ("job_id", request.BindingId != 0 || request.JobId.Length > 0),
            ("kpi_id", request.KpiId.Length > 0), ("dataset", request.Dataset.Length > 0), ("signal", request.Signal.Length > 0),
        }.Where(subject => subject.Item2).Select(subject => subject.Item1).ToList();
        return named switch
        {
            [var one] => one,
            [] => throw Reject.Invalid("run_id", "is missing: name a run (run_id, attempt_id), a job (binding_id, or tenant, environment and job_id), a kpi_id, a dataset or a signal"),
            [var first, .. var others] => throw Reject.Invalid(others[0], $"is a second subject beside {first}: name one"),
        };
    }

    private static bool IsUp(GetLineageRequest request)
    {
        var isSource = request.Dataset.Length > 0 || request.Signal.Length > 0;
        return request.Direction switch
        {
            "" => !isSource,
            "up" when isSource => throw Reject.Invalid("direction", "has nothing to show up from a table or a signal: where they come from is their publisher's to say"),
            "up" or "down" => request.Direction == "up",
            _ => throw Reject.Invalid("direction", "is neither up nor down"),
        };
    }

    private static LineageDrawing Drawing(LineageScope scope, LineageBounds bounds, bool up) => new(scope, bounds, up ? "up" : "down");

    private static async Task<LineageGraph> OfRunAsync(RequestTransaction tx, GetLineageRequest request, LineageBounds bounds, bool up)
    {
        var (row, what) = await RunHistory.FindAsync(tx, new GetRunRequest { RunId = request.RunId, AttemptId = request.AttemptId });
        if (row is null)
            throw Reject.NotFound(what);
        tx.Demand(Verb.Read, row.TenantId, row.Environment, what);
        var drawing = Drawing(new LineageScope(row.TenantId, row.Environment), bounds, up);
        var runs = await LineageStore.RunsAsync(tx, drawing.Scope, [row.RunId]);
        if (up)
            await UpwardLineage.FollowAsync(tx, drawing, runs);
        else
            await DownwardLineage.FollowRunsAsync(tx, drawing, runs.Single());
        return drawing.Graph;
    }

    private static async Task<LineageGraph> OfJobAsync(RequestTransaction tx, GetLineageRequest request, LineageBounds bounds, bool up)
    {
        var binding = await BindingLookup.ResolveAsync(tx, new BindingKey(request.BindingId, request.Tenant, request.Environment, request.JobId), Verb.Read);
        var drawing = Drawing(new LineageScope(binding.TenantId, binding.Environment), bounds, up);
        return await OfJobsAsync(tx, drawing, await LineageStore.JobsAsync(tx, drawing.Scope, [binding.BindingId]), up);
    }

    private static async Task<LineageGraph> OfKpiAsync(RequestTransaction tx, GetLineageRequest request, LineageBounds bounds, bool up)
    {
        var (scope, what) = Scope(tx, request, "KPI", request.ContractVersion.Length == 0 ? request.KpiId : SourceName.Of("kpi", request.KpiId, request.ContractVersion));
        var jobs = await LineageStore.JobsOfKpiAsync(tx, scope, request.KpiId, request.ContractVersion, bounds.Nodes + 1);
        if (jobs.Count > 0)
            return await OfJobsAsync(tx, Drawing(scope, bounds, up), jobs, up);
        // Jobs may wait for a KPI that no job computes here.
        if (up || request.ContractVersion.Length == 0)
            throw Reject.NotFound(what);
        return await OfSourceAsync(tx, request, bounds, "kpi", SourceName.Of("kpi", request.KpiId, request.ContractVersion));
    }

    private static async Task<LineageGraph> OfJobsAsync(RequestTransaction tx, LineageDrawing drawing, IReadOnlyList<LineageJobRow> jobs, bool up)
    {
        if (up)
        {
            foreach (var job in jobs.Where(job => job.LastGood is null))
                UpwardLineage.Declare(drawing, job);
            await UpwardLineage.FollowAsync(tx, drawing, await LineageStore.RunsAsync(tx, drawing.Scope, [.. jobs.Select(job => job.LastGood).OfType<long>()]));
        }
        else
        {
            await DownwardLineage.FollowAsync(tx, drawing, [.. jobs.Select(job => job.ToNode()).Where(drawing.TryRoot).Select(LineageTarget.OfJob)]);
        }
        return drawing.Graph;
    }

    private static async Task<LineageGraph> OfSourceAsync(RequestTransaction tx, GetLineageRequest request, LineageBounds bounds, string type, string name)
    {
        var (scope, what) = Scope(tx, request, type switch { "gdp" => "table", "kpi" => "KPI", _ => type }, name);
        var (drawing, source) = (Drawing(scope, bounds, up: false), new SourceTaken(type, name, new LineageEdge()));
        drawing.TryRoot(source.Node);
        await DownwardLineage.FollowAsync(tx, drawing, [new LineageTarget(source.Id, type, name)]);
        if (drawing.Graph.Edges.Count == 0 && !drawing.Graph.Truncated && !await LineageStore.IsPublishedAsync(tx, scope, type, name))
            throw Reject.NotFound(what);
        return drawing.Graph;
    }

    private static (LineageScope, string What) Scope(RequestTransaction tx, GetLineageRequest request, string kind, string name)
    {
        var environment = RequestFields.Environment(request.Environment);
        var tenant = RequestFields.Tenant(tx.Caller, request.Tenant, Verb.Read);
        var what = $"The {kind} {tenant}/{environment}/{name}";
        tx.Demand(Verb.Read, tenant, environment, what);
        return (new LineageScope(tenant, environment), what);
    }
}
