using KpiControl.Control.Authoring;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using KpiControl.Jobs.Plans;
using KpiControl.Protocol.V1;
using Semver;

namespace KpiControl.Control.Catalog;

/// <summary>
/// Which jobs a contract's version is for, and what would become of them on it: those of earlier versions, which may move to it; where it
/// is deprecated or retired, its own, which have to leave it.
/// </summary>
internal static class ContractEffects
{
    private const int MostJobs = 1000;

    public static async Task TellAsync(RequestTransaction tx, ContractRow row, Contract answer)
    {
        // No job is bound to a table's contract: runs take the one that is active.
        if (row.ContractType != ContractKind.Kpi)
            return;
        var versions = await VersionsAsync(tx, row);
        var users = versions.Length == 0 ? [] : await ContractStore.UsersAsync(tx, ReadScope.Of(tx.Caller, Verb.Read), row.TenantId, row.KpiId, versions, MostJobs + 1);
        if (users.Count == 0)
            return;
        // Whoever is answered the same again must still be allowed to read them.
        foreach (var environment in users.Select(user => user.Environment).Distinct())
            tx.Demand(Verb.Read, row.TenantId, environment, $"The tenant {row.TenantId}");
        var bound = (await ContractStore.OfAsync(tx, row.TenantId, [.. users.Select(user => new KpiReference(row.KpiId, user.ContractVersion)).Distinct()]))
            .ToDictionary(was => was.Version, JobCheck.Understand);
        var to = JobCheck.Understand(row);
        answer.Effects.AddRange(users.Take(MostJobs).Select(user => Effect(user, bound.GetValueOrDefault(user.ContractVersion), to)));
        answer.MoreEffects = users.Count > MostJobs;
    }

    private static async Task<string[]> VersionsAsync(RequestTransaction tx, ContractRow row)
    {
        var own = SemVersion.Parse(row.Version, SemVersionStyles.Strict);
        var leaves = row.Status is ContractStatus.Deprecated or ContractStatus.Retired;
        return [.. (await ContractStore.VersionsAsync(tx, row.TenantId, row.KpiId)).Where(version =>
            SemVersion.Parse(version, SemVersionStyles.Strict).ComparePrecedenceTo(own) < 0 || leaves && version == row.Version)];
    }

    private static ContractEffect Effect(ContractUser user, MetricContract? was, MetricContract to)
    {
        var job = ArtifactReader.ReadCanonical(user.CanonicalJson)
            ?? throw new InvalidOperationException($"The definition of binding {user.BindingId} cannot be read.");
        var move = ContractMove.Of(job, was, to);
        return new ContractEffect
        {
            BindingId = user.BindingId, Environment = user.Environment, Region = user.Region, JobId = user.JobId, ContractVersion = user.ContractVersion, Breaks = move.Breaks,
            Findings = { move.Findings.Select(finding => finding.ToProto()) }, Breaking = { move.Breaking.Select(reason => reason.ToProto()) },
        };
    }
}
