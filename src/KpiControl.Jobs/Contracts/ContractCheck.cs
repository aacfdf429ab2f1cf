using System.Globalization;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Runs;

namespace KpiControl.Jobs.Contracts;

/// <summary>Stage 4 of validation: a job against the metric contract that it names.</summary>
/// <remarks>Findings have a path and no place in a text; <see cref="FindingPlaces"/> adds it where there is one.</remarks>
public static class ContractCheck
{
    /// <param name="contract">The version that the job names, or null where the catalogue has none.</param>
    /// <param name="isKpiKnown">Whether the catalogue has any version of the KPI: which of the two names is wrong.</param>
    public static IReadOnlyList<Finding> Check(JobArtifact job, MetricContract? contract, bool isKpiKnown = true)
    {
        if (contract is null) return [Unknown(job, isKpiKnown)];
        return
        [
            .. Status(job, contract), .. Dependencies(job, contract), .. Time(job, contract), .. Dimensions(job, contract),
            .. FilterCheck.Check(job, contract), .. Extensions(job, contract), .. Freshness(job, contract),
        ];
    }

    private static Finding Unknown(JobArtifact job, bool isKpiKnown) => Error(isKpiKnown ? "/contract_version" : "/kpi_id", "contract.unknown",
        isKpiKnown ? $"There is no metric contract {job.KpiId}@{job.ContractVersion} in the catalogue." : $"The catalogue has no metric contract of {job.KpiId}, in any version.", "Put the contract first, or name a version that exists (kpictl contracts list).");

    private static IEnumerable<Finding> Status(JobArtifact job, MetricContract contract) => contract.Status switch
    {
        ContractStatus.Active => [],
        ContractStatus.Deprecated => [new Finding("/contract_version", 0, 0, "contract.deprecated", Severity.Warning,
            $"The contract {job.KpiId}@{job.ContractVersion} is deprecated.", "Move to a newer version before it is retired.")],
        ContractStatus.Retired => [Error("/contract_version", "contract.retired",
            $"The contract {job.KpiId}@{job.ContractVersion} is retired.", "Name a version that is active.")],
        _ => [Error("/contract_version", "contract.not_active",
            $"The contract {job.KpiId}@{job.ContractVersion} is {contract.Status}, not active.", "It must be approved and made active first.")],
    };

    private static IEnumerable<Finding> Dependencies(JobArtifact job, MetricContract contract)
    {
        var stages = RunStages.Of(job.Run);
        // What the run itself loads and builds it cannot wait for; where no value comes of it, nothing has to be there before.
        if (stages.MakesTables)
            return [.. Tables(job, contract), .. stages.ComputesKpi ? MissingKpis(job, contract) : []];
        return stages.ComputesKpi ? [.. MissingTables(job, contract), .. MissingKpis(job, contract)] : [];
    }

    private static IEnumerable<Finding> Tables(JobArtifact job, MetricContract contract)
    {
        if (contract.GdpDependencies.Count == 0)
            yield return Error("/run", "contract.no_tables", $"{contract.Reference} is computed from KPIs alone: there is no table to load or to build.", "Run the stages kpi alone.");
        foreach (var table in contract.GdpDependencies.Intersect(job.Dependencies.Gdp))
            yield return Error("/dependencies/gdp", "contract.own_table", $"The run makes {table} itself: it would wait for its own refresh.", $"Take {table} from dependencies.gdp.");
    }

    private static IEnumerable<Finding> MissingTables(JobArtifact job, MetricContract contract) =>
    [
        .. contract.GdpDependencies.Except(job.Dependencies.Gdp).Select(table => Error("/dependencies/gdp", "contract.missing_dependency",
            $"The contract is computed from {table}, and the job does not wait for it.", $"Add {table} to dependencies.gdp.")),
    ];

    private static IEnumerable<Finding> MissingKpis(JobArtifact job, MetricContract contract) =>
    [
        .. contract.KpiDependencies.Except(job.Dependencies.Kpis).Select(kpi => Error("/dependencies/kpis", "contract.missing_dependency",
            $"The contract is computed from {kpi}, and the job does not wait for it.",
            $"Add {{ kpi_id: {kpi.KpiId}, contract_version: \"{kpi.ContractVersion}\" }} to dependencies.kpis.")),
    ];

    private static IEnumerable<Finding> Time(JobArtifact job, MetricContract contract)
    {
        if (job.Runtime.Time?["grain"]?.GetValue<string>() is { } grain && grain != contract.Grain)
            yield return Error("/runtime/time/grain", "contract.grain", $"The contract's grain is {contract.Grain}, not {grain}.", "Leave grain out, or name the contract's.");
    }

    private static IEnumerable<Finding> Dimensions(JobArtifact job, MetricContract contract)
    {
        foreach (var (i, name) in job.Runtime.Dimensions.Index().Where(d => contract.Dimensions.All(known => known.Name != d.Item)))
            yield return Error(string.Create(CultureInfo.InvariantCulture, $"/runtime/dimensions/{i}"), "contract.dimension", $"{name} is not a dimension of the contract.", Known(contract.Dimensions.Select(d => d.Name)));
        foreach (var twice in job.Runtime.Dimensions.GroupBy(name => name).Where(group => group.Count() > 1))
            yield return Error("/runtime/dimensions", "contract.dimension", $"{twice.Key} stands twice.", "Name each dimension once.");
    }

    private static IEnumerable<Finding> Extensions(JobArtifact job, MetricContract contract) =>
        from category in job.Runtime.Extensions
        let known = category.Key == "time" || contract.ExpressionText is null ? contract.Extensions.GetValueOrDefault(category.Key) ?? [] : []
        from extension in category.Value.Index()
        where !known.Contains(extension.Item)
        select Error(string.Create(CultureInfo.InvariantCulture, $"/runtime/extensions/{category.Key}/{extension.Index}"), "contract.extension",
            known.Count == 0 && contract.Extensions.ContainsKey(category.Key)
                ? $"{extension.Item} is declared, and extensions of category {category.Key} are not computed from an expression yet."
                : $"{extension.Item} is not among the contract's {category.Key} extensions.", Known(known));

    // Whether the schedule can keep the job's own promise is a question of stage 3, which needs no contract.
    private static IEnumerable<Finding> Freshness(JobArtifact job, MetricContract contract)
    {
        if (contract.FreshnessSlaMinutes is { } minutes && job.Sla?.Freshness is { } promised && promised.Target > TimeSpan.FromMinutes(minutes))
            yield return new Finding("/sla/freshness", 0, 0, "contract.freshness", Severity.Warning,
                $"The job promises {Durations.Format(promised.Target)}; its contract promises {Durations.Format(TimeSpan.FromMinutes(minutes))}.",
                "Promise no less than the contract does, and run often enough to keep it.");
    }

    internal static string Known(IEnumerable<string> names) =>
        string.Join(", ", names) is { Length: > 0 } list ? $"The contract has: {list}." : "The contract has none.";

    internal static Finding Error(string path, string rule, string message, string hint) => new(path, 0, 0, rule, Severity.Error, message, hint);
}
