using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Runs;

/// <summary>Which stages a run executes: what <c>run.profile</c> or <c>run.stage_set</c> selects.</summary>
/// <param name="Stages">Words of <see cref="All"/>, in the order in which they run.</param>
/// <param name="IsDryRun">Contracts and structure are checked, and nothing is moved.</param>
/// <param name="IsOfWindow">Of a GDP table the rows of the call's window are built anew, and the others stay.</param>
/// <remarks>Source: the platform's "Triggers, run profiles, stage sets, readiness".</remarks>
public sealed record RunStages(IReadOnlyList<string> Stages, bool IsDryRun = false, bool IsOfWindow = false)
{
    /// <summary>A file of the connection, as it stands, into a landing table.</summary>
    public const string Ingestion = "ingestion";
    /// <summary>The landing table, typed, into the raw table.</summary>
    public const string Raw = "raw";
    /// <summary>Raw tables into a GDP table, whose refresh is published.</summary>
    public const string Gdp = "gdp";
    /// <summary>The KPI Call.</summary>
    public const string Kpi = "kpi";

    /// <summary>In the order in which they run.</summary>
    public static IReadOnlyList<string> All { get; } = [Ingestion, Raw, Gdp, Kpi];

    private static readonly RunStages KpiOnly = new([Kpi]);

    private static readonly Dictionary<string, RunStages> Profiles = new(StringComparer.Ordinal)
    {
        ["raw_only"] = new([Ingestion, Raw]), ["raw_plus_gdp"] = new([Ingestion, Raw, Gdp]), ["kpi_only"] = KpiOnly, ["pre_fill"] = new([Ingestion, Raw]),
        ["backfill"] = new([Gdp, Kpi], IsOfWindow: true), ["skeleton"] = new(All, IsDryRun: true),
    };

    public static RunStages Of(JobRun run) =>
        run.StageSet.Count > 0 ? new([.. All.Where(run.StageSet.Contains)]) : Profiles.GetValueOrDefault(run.Profile ?? "") ?? KpiOnly;

    /// <summary>Every agent can execute it, also one that has never heard of stages.</summary>
    public bool IsKpiAlone => !IsDryRun && Stages is [Kpi];

    public bool Has(string stage) => Stages.Contains(stage);

    /// <summary>A value comes of it that others may wait for.</summary>
    public bool ComputesKpi => !IsDryRun && Has(Kpi);

    /// <summary>Tables of the KPI are loaded or built before it, so that it cannot wait for them.</summary>
    public bool MakesTables => !IsDryRun && (Has(Ingestion) || Has(Raw) || Has(Gdp));

    /// <summary>What a connection must be able to execute. A dry run checks what of it can be checked there: SQL, at least.</summary>
    public IReadOnlyList<string> NeededOfConnection => IsDryRun ? [Gdp, Kpi] : Stages;
}
