using System.Text;
using System.Text.RegularExpressions;
using KpiControl.Jobs.Artifacts;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Authoring;

/// <summary>The job artifacts among the files that a command line names; a directory is taken with all that is below it.</summary>
internal sealed partial record JobFiles(IReadOnlyList<string> Paths, IReadOnlyList<PlanArtifact> Artifacts, IReadOnlyList<string> Ignored)
{
    public static JobFiles Read(IReadOnlyList<string> paths)
    {
        var files = FileSet.Of(paths, recursive: true);
        var named = paths.Where(File.Exists).ToHashSet(StringComparer.Ordinal);
        var artifacts = files.Select(file => (Path: file, Artifact: Of(file))).ToLookup(file => named.Contains(file.Path) || IsJob(file.Path, file.Artifact.Content));
        return new JobFiles([.. artifacts[true].Select(file => file.Path)], [.. artifacts[true].Select(file => file.Artifact)], [.. artifacts[false].Select(file => file.Path)]);
    }

    /// <summary>What was left out: a contract beside its jobs is no mistake, and still nobody should wonder.</summary>
    public void TellIgnored(Surroundings world)
    {
        foreach (var file in Ignored)
            world.Error.WriteLine($"{file}: ignored, it is no job artifact");
    }

    private static PlanArtifact Of(string file) => new()
    {
        Format = ArtifactFormats.OfPath(file).Word(),
        Content = Encoding.UTF8.GetString(FileSet.Read(file)),
    };

    // By its first word alone where it can be: reading a thousand files in full takes seconds of a short process, and the control plane does it anyway.
    // One that cannot be read is taken for a job where it says that it is: a slip of the pen must not hide it.
    private static bool IsJob(string file, string content) =>
        JobId().IsMatch(content) || ArtifactReader.Read(content, ArtifactFormats.OfPath(file)).Remains is { KpiId.Length: > 0 };

    [GeneratedRegex("""(?m)^(\{\s*|\s*[{,]?\s*(?=["']))?["']?job_id["']?\s*:""", RegexOptions.CultureInvariant)]
    private static partial Regex JobId();
}
