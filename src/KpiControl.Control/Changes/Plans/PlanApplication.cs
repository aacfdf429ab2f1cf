using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Operations;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;
using KpiControl.Protocol.V1;
using Severity = KpiControl.Jobs.Artifacts.Severity;

namespace KpiControl.Control.Changes.Plans;

/// <summary>Does what a plan said, in one transaction: all of it or nothing, and only if it still fits.</summary>
internal sealed class PlanApplication
{
    private readonly RequestTransaction tx;
    private readonly ApplyPlanRequest request;
    private readonly JobsPlan plan;
    private readonly Dictionary<PlanLine, AppliedJob> applied = [];

    private PlanApplication(RequestTransaction tx, ApplyPlanRequest request, JobsPlan plan) => (this.tx, this.request, this.plan) = (tx, request, plan);

    public static async Task<ApplyPlanResponse> ApplyAsync(RequestTransaction tx, ApplyPlanRequest request)
    {
        RequestFields.Required("plan_digest", request.PlanDigest);
        var ask = PlanAsk.Of(request.Tenant, request.Environment, request.Region, request.Source, request.Prune, request.Artifacts);
        var plan = await JobsPlan.LoadAsync(tx, ask, Verb.Update);
        DemandValid(plan);
        PlanMoves.DemandSame(request, plan);
        DemandVerbs(tx, plan);
        var application = new PlanApplication(tx, request, plan);
        if (plan.NeedsApproval)
            await application.ProposeAsync();
        else
            await application.PutInForceAsync();
        await application.PauseAsync();
        await application.KeepAsync();
        await application.OwnAsync();
        return application.Answer();
    }

    private static void DemandValid(JobsPlan plan)
    {
        var errors = plan.Lines.Where(line => line.Action == PlanAction.Invalid).SelectMany(line => line.Job!.Findings.Where(finding => finding.Severity == Severity.Error)
            .Select(finding => finding with { Path = string.Create(CultureInfo.InvariantCulture, $"artifacts[{line.Artifact}]{finding.Path}") })).ToList();
        FindingMapping.DemandNoErrors(errors);
    }

    private static void DemandVerbs(RequestTransaction tx, JobsPlan plan)
    {
        void Demand(Verb verb) => tx.Demand(verb, plan.Ask.Tenant, plan.Ask.Environment, $"The tenant {plan.Ask.Tenant}");
        if (plan.Lines.Any(line => line.Action == PlanAction.Create))
            Demand(Verb.Create);
        if (plan.Lines.Any(line => line.Action == PlanAction.Pause))
            Demand(Verb.Pause);
        if (plan.NeedsApproval && plan.Lines.Any(line => line.TouchesForce))
            Demand(Verb.ChangeRequestSubmit);
    }

    private async Task PutInForceAsync()
    {
        await CreateAsync(active: true);
        var rebound = plan.Lines.Where(line => line is { TouchesForce: true, Job: not null, Bound: not null }).ToList();
        await JobRebind.ApplyAsync(tx, [.. rebound.Select(line => new JobToRebind(line.Bound!.Binding, line.Bound.Job, line.Job!,
            new Rebinding(request.Reason, Activate: line.Action == PlanAction.Create || line.Returns)))]);
        foreach (var line in rebound)
            Done(line, line.Action switch { PlanAction.Create => "created", PlanAction.Rebind => "rebound", _ => "updated" }, revision: line.Bound!.Binding.Revision + 1);
        var removed = plan.Lines.Where(line => line.Action == PlanAction.Remove).ToList();
        await JobRebind.RetireAsync(tx, [.. removed.Select(line => (line.Bound!.Binding, line.Bound.Job))], new Rebinding(Because()));
        foreach (var line in removed)
            Done(line, "removed", revision: line.Bound!.Binding.Revision + 1);
    }

    private async Task ProposeAsync()
    {
        var made = await CreateAsync(active: false);
        var bindings = made.Count == 0 ? [] : (await BindingStore.OfAsync(tx, plan.Ask.Tenant, plan.Ask.Environment, [.. made.Select(line => line.JobId)], forEdit: true)).ToDictionary(binding => binding.JobId);
        foreach (var line in plan.Lines.Where(line => line.TouchesForce))
        {
            var binding = bindings.GetValueOrDefault(line.JobId) ?? line.Bound!.Binding;
            var change = line.Job is { } job
                ? await Proposals.OpenAsync(tx, binding, job, request.Reason, plan.Ask.Source)
                : await Proposals.OpenRemovalAsync(tx, binding, plan.Facts.Placement, Because(), plan.Ask.Source);
            Done(line, "proposed", binding.Revision, change.ChangeId, binding.BindingId);
        }
    }

    // What is not bound at all; what waits for its first approval is bound already.
    private async Task<IReadOnlyList<PlanLine>> CreateAsync(bool active)
    {
        var lines = plan.Lines.Where(line => line is { Action: PlanAction.Create, Bound: null }).ToList();
        if (lines.Count == 0)
            return lines;
        var made = (await JobCreation.BindAsync(tx, [.. lines.Select(line => line.Job!)], active, plan.Ask.Source)).ToDictionary(binding => binding.Job.Job.JobId);
        if (lines.Find(line => !made.ContainsKey(line.JobId)) is { } raced)
            throw Reject.Precondition("PLAN_MOVED", request.PlanDigest, $"{raced.JobId} was bound at this moment; plan again.");
        foreach (var line in lines)
            Done(line, "created", revision: 1, bindingId: made[line.JobId].BindingId).NextRunAt = made[line.JobId].NextRunAt?.ToTimestamp();
        return lines;
    }

    // An operation, not a change: policy is not asked.
    private async Task PauseAsync()
    {
        foreach (var line in plan.Lines.Where(line => line.Action == PlanAction.Pause))
        {
            await Pauses.PauseAsync(tx, line.Bound!.Binding, until: null, Because());
            Done(line, "paused", line.Bound.Binding.Revision);
        }
    }

    // The set has it: that it was to be taken away is no longer asked for.
    private async Task KeepAsync()
    {
        foreach (var line in plan.Lines.Where(line => line is { Job: not null, Bound.Open.Removes: true } && !(plan.NeedsApproval && line.TouchesForce)))
            await Proposals.SupersedeRemovalAsync(tx, line.Bound!.Binding, line.Bound.Open!.ChangeId, request.Reason);
    }

    // What waits for approval becomes the source's with its release; who applied the rest changes nothing that is in force.
    private async Task OwnAsync()
    {
        if (plan.Ask.Source.Length == 0)
            return;
        var lines = plan.Lines.Where(line => line is { Bound: not null, Job: not null } && line.Bound.Binding.Source != plan.Ask.Source && !(plan.NeedsApproval && line.TouchesForce)).ToList();
        await JobSources.TakeAsync(tx, [.. lines.Select(line => line.Bound!.Binding)], plan.Ask.Source, request.Reason);
        foreach (var line in lines.Where(line => line.Action == PlanAction.Update && !line.TouchesForce))
            Done(line, "updated", line.Bound!.Binding.Revision);
    }

    private string Because() => $"{plan.Ask.Source} has it no more" + (request.Reason.Length > 0 ? $": {request.Reason}" : "");

    private AppliedJob Done(PlanLine line, string outcome, int revision, long changeId = 0, long bindingId = 0) => applied[line] = new AppliedJob
    {
        Artifact = line.Artifact, JobId = line.JobId, Region = line.Region, Outcome = outcome, Etag = Etags.Of(revision), ChangeId = changeId,
        BindingId = bindingId > 0 ? bindingId : line.Bound?.Binding.BindingId ?? 0,
        ContentHash = outcome is "created" or "rebound" or "updated" ? line.Job!.Reading.ContentHash : line.Bound?.Binding.ContentHash ?? line.Job!.Reading.ContentHash,
    };

    private ApplyPlanResponse Answer()
    {
        var response = new ApplyPlanResponse { PlanDigest = plan.Digest, Unchanged = plan.Lines.Count(line => !applied.ContainsKey(line)) };
        response.Jobs.AddRange(plan.Lines.Where(applied.ContainsKey).Select(line => applied[line]));
        // Ids of rows that are rolled back would be somebody else's later.
        foreach (var job in request.ValidateOnly ? response.Jobs.ToList() : [])
            (job.ChangeId, job.BindingId) = (0, plan.Lines.First(line => line.JobId == job.JobId).Bound?.Binding.BindingId ?? 0);
        return response;
    }
}
