using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Cli.Authoring;

/// <summary>One artifact's file, and everything that can be said about it without a control plane.</summary>
internal sealed record ArtifactFile(string Path, ArtifactReading Reading, IReadOnlyList<Finding> Findings)
{
    public bool IsValid => Reading.Job is not null && Findings.All(finding => finding.Severity != Severity.Error);

    public static ArtifactFile Read(string path)
    {
        var reading = ArtifactReader.Read(FileSet.Read(path), ArtifactFormats.OfPath(path));
        return new ArtifactFile(path, reading, reading.Findings);
    }

    public static IReadOnlyList<ArtifactFile> ReadAll(IReadOnlyList<string> paths, CancellationToken token)
    {
        var artifacts = new ArtifactFile[paths.Count];
        Parallel.For(0, paths.Count, new ParallelOptions { CancellationToken = token }, i => artifacts[i] = Read(paths[i]));
        return CheckGraph(artifacts);
    }

    // The server knows the jobs that are bound; here the files given stand for all of them.
    private static ArtifactFile[] CheckGraph(ArtifactFile[] artifacts)
    {
        var tenants = artifacts.Where(artifact => artifact.Reading.Remains is not null).Select(artifact => artifact.Reading.Remains!)
            .GroupBy(job => job.Tenant, StringComparer.Ordinal).ToDictionary(jobs => jobs.Key, Among.Of, StringComparer.Ordinal);
        return [.. artifacts.Select(artifact => artifact.Reading.Remains is { } job ? artifact.WithGraph(job, tenants[job.Tenant]) : artifact)];
    }

    private ArtifactFile WithGraph(JobArtifact job, Among others)
    {
        var findings = Reading.About([.. others.Graph.Check(job), .. NamedDependencies.CheckAmong(job, others.Computed)]);
        return findings.Count == 0 ? this : this with { Findings = [.. Findings, .. FindingPlaces.Fill(findings, FileSet.Read(Path), ArtifactFormats.OfPath(Path))] };
    }

    /// <summary>A tenant's jobs among the files.</summary>
    private sealed record Among(DependencyGraph Graph, IReadOnlySet<KpiReference> Computed)
    {
        public static Among Of(IEnumerable<JobArtifact> jobs)
        {
            var (graph, computed) = (new DependencyGraph(), new HashSet<KpiReference>());
            foreach (var job in jobs)
            {
                graph.Add(job);
                computed.Add(new KpiReference(job.KpiId, job.ContractVersion));
            }
            return new Among(graph, computed);
        }
    }
}
