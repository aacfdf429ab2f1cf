using System.Text;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Cli.Authoring;

/// <summary>
/// What the first line of an artifact tells an editor. A file beside it is found by every editor and outlives any control
/// plane; the control plane's own URL is the second choice, for an artifact that is printed.
/// </summary>
internal static class EditorSchema
{
    private const string Beside = "./" + JobSchema.FileName;

    public static string Reference(Surroundings world, string? asked, string? file) =>
        asked ?? (file is null && world.Set("KPI_REST") is { } rest ? rest.TrimEnd('/') + JobSchema.ServedAt : Beside);

    /// <summary>One that is there is left as it is: it may be newer than this kpictl.</summary>
    public static void PutBeside(Surroundings world, string artifact)
    {
        var path = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(artifact))!, JobSchema.FileName);
        try
        {
            using var stream = new FileStream(path, FileMode.CreateNew);
            stream.Write(Encoding.UTF8.GetBytes(JobSchema.Text));
            world.Error.WriteLine($"{path} made: editors check the artifact by it");
        }
        catch (IOException) when (File.Exists(path))
        {
        }
        catch (Exception unwritable) when (unwritable is IOException or UnauthorizedAccessException)
        {
            world.Error.WriteLine($"{path} cannot be written: editors will not find the schema (kpictl schema prints it)");
        }
    }
}
