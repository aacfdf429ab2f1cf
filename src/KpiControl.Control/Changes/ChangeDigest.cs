using System.Text.Json.Nodes;
using KpiControl.Control.Authoring;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Changes;

/// <summary>What an approval signs: the content, where it goes, and what it was looked at against; nothing that time alone changes.</summary>
internal static class ChangeDigest
{
    public static string Of(NewChange change) => Of(
        change.ContentHash, $"{change.TenantId}/{change.Environment}/{change.JobId}", change.Environment, change.Region, change.ContractDigest, change.BaseRevision, change.PolicyVersion, change.CalendarVersion, change.Kind == Proposals.Removal);

    /// <summary>As it would be of what is stored, against what stands now.</summary>
    public static string Of(ChangeRow change) => Of(
        change.ContentHash, $"{change.TenantId}/{change.Environment}/{change.JobId}", change.Environment, change.Region, change.ContractDigest, change.RevisionNow, change.PolicyVersionNow, change.CalendarVersionNow, change.Removes);

    /// <summary>What was agreed to, in the form that the digest is taken over.</summary>
    public static string Signed(ChangeRow change) => Canonical(
        change.ContentHash, $"{change.TenantId}/{change.Environment}/{change.JobId}", change.Environment, change.Region, change.ContractDigest, change.BaseRevision, change.PolicyVersion, change.CalendarVersion, change.Removes);

    private static string Of(string contentHash, string binding, string environment, string region, string contractDigest, int revision, int policyVersion, int? calendarVersion, bool removes) =>
        ContentHash.OfCanonicalJson(Canonical(contentHash, binding, environment, region, contractDigest, revision, policyVersion, calendarVersion, removes));

    private static string Canonical(string contentHash, string binding, string environment, string region, string contractDigest, int revision, int policyVersion, int? calendarVersion, bool removes)
    {
        var signed = new JsonObject
        {
            ["content_hash"] = contentHash, ["binding"] = binding, ["base_etag"] = Etags.Of(revision), ["environment"] = environment,
            ["region"] = region, ["contract_digest"] = contractDigest, ["policy_version"] = policyVersion,
        };
        // Only where a calendar takes part: a digest that was signed without one stays what it was.
        if (calendarVersion is { } version)
            signed["calendar_version"] = version;
        // Nobody's approval of a definition is one of taking it away.
        if (removes)
            signed["action"] = "remove";
        return Jcs.Write(signed);
    }
}
