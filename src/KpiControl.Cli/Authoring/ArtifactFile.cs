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
        var graph = new DependencyGraph();
        foreach (var artifact in artifacts)
            if (artifact.Reading.Remains is { } job)
                graph.Add(job);
        return [.. artifacts.Select(artifact => artifact.WithGraph(graph))];
    }

    private ArtifactFile WithGraph(DependencyGraph graph) => Reading.Remains is { } job && Reading.About(graph.Check(job)) is { Count: > 0 } cycle
        ? this with { Findings = [.. Findings, .. FindingPlaces.Fill(cycle, FileSet.Read(Path), ArtifactFormats.OfPath(Path))] }
        : this;
}
