using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;

namespace KpiControl.Jobs.Validation;

internal static class DependencyRules
{
    public static void Check(JobArtifact job, ArtifactNode root, FindingList findings)
    {
        var dependencies = job.Dependencies;
        foreach (var table in dependencies.MaxAge.Keys.Except(dependencies.Gdp, StringComparer.Ordinal))
            findings.Error("meaning.max_age", root.Nearest("dependencies", "max_age", table), "max_age names a table that is not among dependencies.gdp.",
                NearestName.Of(table, dependencies.Gdp) is { } nearest ? $"Did you mean {nearest}?" : "Add the table to dependencies.gdp.");
        if (dependencies.Kpis.Contains(new KpiReference(job.KpiId, job.ContractVersion)))
            findings.Error("meaning.own_kpi", root.Nearest("dependencies", "kpis"), "The job waits for its own KPI.", "Remove it from dependencies.kpis.");
    }
}
