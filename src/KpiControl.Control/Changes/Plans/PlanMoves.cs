using System.Globalization;
using KpiControl.Control.Hosting;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Changes.Plans;

/// <summary>What has moved since a plan was made; pure.</summary>
internal static class PlanMoves
{
    private const int MostNamed = 10;

    public static void DemandSame(ApplyPlanRequest request, JobsPlan plan)
    {
        if (request.PlanDigest == plan.Digest)
            return;
        var moves = request.Planned is { } planned ? Between(planned, plan).ToList() : [];
        var told = moves.Count == 0 ? $"it would be {plan.Digest} now; send the plan itself along to be told what moved"
            : string.Join("; ", moves.Take(MostNamed)) + (moves.Count > MostNamed ? string.Create(CultureInfo.InvariantCulture, $"; and {moves.Count - MostNamed} more") : "");
        throw Reject.Precondition("PLAN_MOVED", request.PlanDigest, $"The plan no longer fits: {told}. Nothing was applied; plan again.");
    }

    public static IEnumerable<string> Between(Plan planned, JobsPlan plan)
    {
        var (ask, policy) = (plan.Ask, plan.Facts.Placement.PolicyVersion);
        foreach (var (what, was, now) in new[] { ("tenant", planned.Tenant, ask.Tenant), ("environment", planned.Environment, ask.Environment), ("source", planned.Source, ask.Source), ("prune", planned.Prune, ask.Prune.Word()) })
            if (was != now)
                yield return $"it was planned for {what} '{was}', not '{now}'";
        if (planned.PolicyVersion != policy)
            yield return string.Create(CultureInfo.InvariantCulture, $"the policy is at version {policy}, and was at {planned.PolicyVersion}");
        var before = planned.Jobs.DistinctBy(job => job.JobId).ToDictionary(job => job.JobId);
        foreach (var line in plan.Lines.OrderBy(line => line.JobId, StringComparer.Ordinal))
            if (!before.Remove(line.JobId, out var was))
                yield return $"{line.JobId} was not in the plan";
            else if (Move(was, line) is { } move)
                yield return $"{line.JobId} {move}";
        foreach (var gone in before.Keys.Order(StringComparer.Ordinal))
            yield return $"{gone} was in the plan and is not in the set";
    }

    private static string? Move(PlannedJob was, PlanLine line)
    {
        var bound = line.Bound?.Binding;
        return
            was.BaseEtag != (bound?.Etag ?? "") ? $"is {Bound(bound?.Etag ?? "")}, and was {Bound(was.BaseEtag)}"
            : was.ContentHash != (line.Job?.Reading.ContentHash ?? "") ? "means something else than the artifact that was planned"
            : was.ContractDigest != (line.Job?.ContractDigest ?? "") ? "has another contract"
            : was.CalendarVersion != (line.Job?.Calendar?.Version ?? 0) ? string.Create(CultureInfo.InvariantCulture, $"is on version {line.Job?.Calendar?.Version ?? 0} of its calendar, and was on {was.CalendarVersion}")
            : was.Region != line.Region ? $"is for {line.Region}, and was for {was.Region}"
            : was.LastChangeId != (line.Bound?.LastChangeId ?? 0) ? string.Create(CultureInfo.InvariantCulture, $"has another change: {line.Bound?.LastChangeId}")
            : was.Action != line.Action.Word() ? $"is to {line.Action.Word()}, and was to {was.Action}"
            : null;
    }

    private static string Bound(string etag) => etag.Length > 0 ? $"bound as {etag}" : "not bound";
}
