using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Cli.Authoring;

/// <summary>One artifact's file, and everything that can be said about it without a control plane.</summary>
internal sealed record ArtifactFile(string Path, ArtifactReading Reading, IReadOnlyList<Finding> Findings)
{
    /// <summary>Where the file is a calendar and no job.</summary>
    public CalendarReading? Calendar { get; private init; }

    public string? ContentHash => Calendar is { } calendar ? calendar.Digest : Reading.ContentHash;

    public bool IsValid => (Calendar is { } calendar ? calendar.Calendar is not null : Reading.Job is not null) && Findings.All(finding => finding.Severity != Severity.Error);

    public static ArtifactFile Read(string path)
    {
        var reading = ArtifactReader.Read(FileSet.Read(path), ArtifactFormats.OfPath(path));
        return new ArtifactFile(path, reading, reading.Findings);
    }

    /// <summary>Jobs, and calendars among them, by which the jobs that name them are checked.</summary>
    public static IReadOnlyList<ArtifactFile> ReadAll(IReadOnlyList<string> paths, CancellationToken token)
    {
        var read = new ArtifactFile[paths.Count];
        Parallel.For(0, paths.Count, new ParallelOptions { CancellationToken = token }, i => read[i] = ReadEither(paths[i]));
        var files = CheckGraph(read);
        var calendars = files.Select(file => file.Calendar?.Calendar).OfType<WorkCalendar>().GroupBy(calendar => calendar.Name).ToDictionary(named => named.Key, named => named.First(), StringComparer.Ordinal);
        // What is not among the files may be stored: only the control plane can tell.
        return [.. files.Select(file => file.Reading.Remains?.Schedule.Calendar is { } name && calendars.TryGetValue(name, out var calendar)
            ? file.With(CalendarCheck.Check(file.Reading.Remains, calendar, [])) : file)];
    }

    private static ArtifactFile ReadEither(string path)
    {
        var (text, format) = (FileSet.Read(path), ArtifactFormats.OfPath(path));
        if (!CalendarReader.IsCalendar(text, format))
            return Read(path);
        var calendar = CalendarReader.Read(text, format);
        return new ArtifactFile(path, new ArtifactReading { Findings = [] }, calendar.Findings) { Calendar = calendar };
    }

    // The server knows the jobs that are bound; here the files given stand for all of them.
    private static ArtifactFile[] CheckGraph(ArtifactFile[] artifacts)
    {
        var tenants = artifacts.Where(artifact => artifact.Reading.Remains is not null).Select(artifact => artifact.Reading.Remains!)
            .GroupBy(job => job.Tenant, StringComparer.Ordinal).ToDictionary(jobs => jobs.Key, Among.Of, StringComparer.Ordinal);
        return [.. artifacts.Select(artifact => artifact.Reading.Remains is { } job ? artifact.WithGraph(job, tenants[job.Tenant]) : artifact)];
    }

    private ArtifactFile WithGraph(JobArtifact job, Among others) => With([.. others.Graph.Check(job), .. NamedDependencies.CheckAmong(job, others.Computed)]);

    private ArtifactFile With(IReadOnlyList<Finding> about)
    {
        var findings = Reading.About(about);
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
