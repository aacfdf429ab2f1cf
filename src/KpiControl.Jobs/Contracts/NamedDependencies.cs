using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Validation;

namespace KpiControl.Jobs.Contracts;

/// <summary>Of the names that a job waits for, those that nobody who could serve them has declared.</summary>
public sealed record NamedDependencies
{
    /// <summary>KPIs at versions that the catalogue does not have.</summary>
    public IReadOnlySet<KpiReference> UnknownKpis { get; init; } = new HashSet<KpiReference>();
    /// <summary>KPIs that no active job of the environment and region computes.</summary>
    public IReadOnlySet<KpiReference> UnboundKpis { get; init; } = new HashSet<KpiReference>();
    /// <summary>Tables that no contract is computed from, and whose refresh nobody published.</summary>
    public IReadOnlySet<string> UnknownTables { get; init; } = new HashSet<string>();
    /// <summary>Signals that nobody published and no other job waits for.</summary>
    public IReadOnlySet<string> UnknownSignals { get; init; } = new HashSet<string>();
    /// <summary>What may have been meant.</summary>
    public IReadOnlyList<string> KnownSignals { get; init; } = [];

    /// <param name="where">The environment and region that it is to be bound in, as people say it.</param>
    public IReadOnlyList<Finding> Check(JobArtifact job, MetricContract? contract, string where)
    {
        // What the contract itself is computed from is declared by that.
        var ours = contract?.KpiDependencies ?? [];
        var tables = contract?.GdpDependencies ?? [];
        return
        [
            .. job.Dependencies.Kpis.Where(UnknownKpis.Contains).Select(kpi => Finding("/dependencies/kpis", "graph.unknown_kpi", Severity.Error,
                $"There is no metric contract {kpi} in the catalogue, so nothing can compute what the job waits for.",
                Meant(kpi.ToString(), ours.Select(k => k.ToString()), "Name a version that exists (kpictl contracts list), or take the dependency away."))),
            .. job.Dependencies.Kpis.Where(kpi => UnboundKpis.Contains(kpi) && !UnknownKpis.Contains(kpi)).Select(kpi => Finding("/dependencies/kpis", "graph.unbound_kpi", Severity.Warning,
                $"No active job in {where} computes {kpi}: a run waits in vain until one does.", "Apply a job of that KPI in the same environment and region.")),
            .. job.Dependencies.Gdp.Except(tables).Where(UnknownTables.Contains).Select(table => Finding("/dependencies/gdp", "graph.unknown_gdp", Severity.Warning,
                $"Nobody knows the table {table}: no contract is computed from it, and no refresh of it was published in {where}.",
                Meant(table, tables, "Check the name; a run waits until a refresh of it is published."))),
            .. job.Dependencies.Signals.Where(UnknownSignals.Contains).Select(signal => Finding("/dependencies/signals", "graph.unknown_signal", Severity.Warning,
                $"Nobody has published the signal {signal} in {where}, and no other job waits for it.",
                Meant(signal, KnownSignals, $"Check the name; a run waits until it is published (kpictl signal {signal} --business-date DATE)."))),
        ];
    }

    /// <summary>Without a control plane: the jobs at hand are all that could compute a KPI.</summary>
    public static IReadOnlyList<Finding> CheckAmong(JobArtifact job, IReadOnlySet<KpiReference> computed) =>
    [
        .. job.Dependencies.Kpis.Where(kpi => !computed.Contains(kpi)).Select(kpi => Finding("/dependencies/kpis", "graph.unknown_kpi", Severity.Warning,
            $"None of the files given computes {kpi}.", Meant(kpi.ToString(), computed.Where(k => k.KpiId != job.KpiId).Select(k => k.ToString()), "Give its job's file too; the control plane checks it against its catalogue."))),
    ];

    private static string Meant(string name, IEnumerable<string> known, string otherwise) =>
        NearestName.Of(name, known.Where(k => k != name)) is { } nearest ? $"Did you mean {nearest}?" : otherwise;

    private static Finding Finding(string path, string rule, Severity severity, string message, string hint) => new(path, 0, 0, rule, severity, message, hint);
}
