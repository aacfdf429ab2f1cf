using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using KpiControl.Protocol.V1;
using Semver;

namespace KpiControl.Control.Leases;

/// <summary>
/// The contracts that are in force for the tables of a run when it is leased. Looked up for each lease that has other stages
/// than <c>kpi</c>: a version that was activated or retired a moment ago counts.
/// </summary>
internal sealed class StageContracts(StageContractStore store)
{
    /// <summary>For the plans that load or build tables: what each makes, raw tables first. A plan of the stage kpi alone is absent, and costs nothing.</summary>
    public async ValueTask<IReadOnlyDictionary<BindingPlan, IReadOnlyList<LeasedDataset>>> OfAsync(IEnumerable<BindingPlan> plans, CancellationToken token)
    {
        var found = new Dictionary<BindingPlan, IReadOnlyList<LeasedDataset>>(ReferenceEqualityComparer.Instance);
        foreach (var plan in plans)
            if (!plan.Stages.IsKpiAlone && !found.ContainsKey(plan))
                found[plan] = await OfAsync(plan, token);
        return found;
    }

    private async Task<IReadOnlyList<LeasedDataset>> OfAsync(BindingPlan plan, CancellationToken token)
    {
        var tables = await ChosenAsync(plan.Tenant, ContractKind.Gdp, plan.Tables, token);
        string[] raw = [.. tables.Where(one => one.ContractJson.Length > 0)
            .SelectMany(one => DatasetReader.Read(one.ContractJson, ArtifactFormat.Json)?.Dependencies ?? []).Distinct(StringComparer.Ordinal)];
        return [.. await ChosenAsync(plan.Tenant, ContractKind.Raw, raw, token), .. tables];
    }

    private async Task<IReadOnlyList<LeasedDataset>> ChosenAsync(string tenant, string kind, IReadOnlyList<string> names, CancellationToken token)
    {
        if (names.Count == 0)
            return [];
        var rows = (await store.UsableAsync(tenant, kind, [.. names], token)).ToLookup(row => row.Dataset, StringComparer.Ordinal);
        return [.. names.Select(name => Latest(rows[name]) is { } row
            ? new LeasedDataset { ContractType = kind, Dataset = name, ContractJson = row.CanonicalJson, ContractDigest = row.Digest, Status = row.Status }
            : new LeasedDataset { ContractType = kind, Dataset = name })];
    }

    /// <summary>The highest active version; where none is active, the highest that is deprecated.</summary>
    public static DatasetRow? Latest(IEnumerable<DatasetRow> rows) =>
        rows.OrderBy(row => row.Status == ContractStatus.Active).ThenBy(row => SemVersion.Parse(row.Version, SemVersionStyles.Strict), SemVersion.PrecedenceComparer).LastOrDefault();
}
