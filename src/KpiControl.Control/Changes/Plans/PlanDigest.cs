using System.Text.Json.Nodes;
using KpiControl.Control.Authoring;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Changes.Plans;

/// <summary>What identifies a plan: what each job is bound to, and what it would be; nothing that time alone changes. Pure.</summary>
internal static class PlanDigest
{
    /// <summary>Empty where a line is invalid.</summary>
    public static string Of(PlanAsk ask, int policyVersion, IReadOnlyList<PlanLine> lines) => lines.Any(line => line.Action == PlanAction.Invalid) ? ""
        : ContentHash.OfCanonicalJson(Jcs.Write(new JsonObject
        {
            ["tenant"] = ask.Tenant, ["environment"] = ask.Environment, ["source"] = ask.Source, ["prune"] = ask.Prune.Word(), ["policy_version"] = policyVersion,
            ["jobs"] = new JsonArray([.. lines.OrderBy(line => line.JobId, StringComparer.Ordinal).Select(Of)]),
        }));

    private static JsonNode Of(PlanLine line) => new JsonObject
    {
        ["job_id"] = line.JobId, ["action"] = line.Action.Word(), ["region"] = line.Region, ["base_etag"] = line.Bound?.Binding.Etag ?? "",
        ["base_content_hash"] = line.Bound?.Binding.ContentHash ?? "", ["content_hash"] = line.Job?.Reading.ContentHash ?? "",
        ["contract_digest"] = line.Job?.ContractDigest ?? "", ["last_change_id"] = line.Bound?.LastChangeId ?? 0, ["calendar_version"] = line.Job?.Calendar?.Version ?? 0,
    };

    public static string Word(this PlanAction action) => action.ToString().ToLowerInvariant();

    public static string Word(this Prune prune) => prune == Prune.No ? "" : prune.ToString().ToLowerInvariant();
}
