using KpiControl.Jobs.Artifacts;

namespace KpiControl.Cli.Authoring;

/// <summary>Jobs in the order of their KPIs: what waits for another KPI follows it, so that the control plane misses nothing that comes with it.</summary>
internal sealed class ApplyOrder
{
    private readonly HashSet<string> computed;

    private ApplyOrder(IReadOnlyList<int[]> waves, HashSet<string> computed) => (Waves, this.computed) = (waves, computed);

    /// <summary>Positions of files, in groups that may be applied at once.</summary>
    public IReadOnlyList<int[]> Waves { get; }

    public static ApplyOrder Of(IReadOnlyList<string> files)
    {
        var jobs = files.Select(file => ArtifactReader.Read(FileSet.Read(file), ArtifactFormats.OfPath(file)).Remains).ToArray();
        var (waves, left) = (new List<int[]>(), Enumerable.Range(0, files.Count).ToList());
        while (left.Count > 0)
        {
            var ahead = left.Select(i => NameOf(jobs[i])).OfType<string>().ToHashSet();
            var wave = left.Where(i => jobs[i] is not { } job || job.Dependencies.Kpis.All(kpi => kpi.ToString() == NameOf(job) || !ahead.Contains(kpi.ToString()))).ToArray();
            // A cycle has no order; the control plane says that it is one.
            waves.Add(wave.Length > 0 ? wave : [.. left]);
            left = [.. left.Except(waves[^1])];
        }
        return new ApplyOrder(waves, [.. jobs.Select(NameOf).OfType<string>()]);
    }

    /// <summary>A rehearsal binds nothing: that a KPI of these files is not bound yet says nothing.</summary>
    public bool Answers(Protocol.V1.Finding finding) =>
        finding.Rule == "graph.unbound_kpi" && computed.Any(kpi => finding.Message.Contains($" {kpi}:", StringComparison.Ordinal));

    private static string? NameOf(JobArtifact? job) => job is null ? null : new KpiReference(job.KpiId, job.ContractVersion).ToString();
}
