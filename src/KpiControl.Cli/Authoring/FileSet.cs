using KpiControl.Jobs.Artifacts;

namespace KpiControl.Cli.Authoring;

/// <summary>The files that a command line names: themselves, and what directories hold, in a stable order.</summary>
internal static class FileSet
{
    private static readonly string[] Extensions = [".yaml", ".yml", ".json"];

    public static IReadOnlyList<string> Of(IEnumerable<string> paths, bool recursive)
    {
        var files = new List<string>();
        foreach (var path in paths)
            if (Directory.Exists(path))
                files.AddRange(In(path, recursive));
            else if (File.Exists(path))
                files.Add(path);
            else
                throw new Refusal($"there is no file or directory {path}", "check the path");
        return files.Distinct(StringComparer.Ordinal).ToArray();
    }

    public static byte[] Read(string file)
    {
        try
        {
            return File.ReadAllBytes(file);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new Refusal($"{file} cannot be read", "check that it is a file, and yours to read", ExitCode.Failed);
        }
    }

    private static string[] In(string directory, bool recursive)
    {
        var options = new EnumerationOptions { RecurseSubdirectories = recursive, IgnoreInaccessible = false };
        var found = Directory.EnumerateFiles(directory, "*", options)
            .Where(file => Path.GetFileName(file) != JobSchema.FileName && Extensions.Contains(Path.GetExtension(file), StringComparer.OrdinalIgnoreCase))
            .Order(StringComparer.Ordinal).ToArray();
        return found.Length > 0 ? found : throw new Refusal($"{directory} holds no .yaml, .yml or .json file", recursive ? "name the files or another directory" : "name the files or another directory, or look further down with --recursive");
    }
}
