using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calls;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Control.Authoring;

/// <summary>The KPI Call as a revision keeps it, for whoever reads what was in force.</summary>
internal static class CallTemplate
{
    /// <summary>As it was rendered for the first business date there is: its range differs by occurrence, nothing else does.</summary>
    public static string Of(JobArtifact job, MetricContract contract) => KpiCall.Of(job, contract).For(new DateOnly(2000, 1, 1));
}
