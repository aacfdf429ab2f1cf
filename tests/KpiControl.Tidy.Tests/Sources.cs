using System.Diagnostics;
using KpiControl.Testing;

namespace KpiControl.Tidy.Tests;

/// <summary>What is tracked, as text.</summary>
internal static class Sources
{
    public static IReadOnlyList<string> Tracked { get; } = Git("ls-files", "--cached", "--others", "--exclude-standard")
        .Where(path => File.Exists(Repository.File(path))).ToList();

    public static IEnumerable<string> CSharp(string under) =>
        Tracked.Where(path => path.StartsWith(under, StringComparison.Ordinal) && path.EndsWith(".cs", StringComparison.Ordinal));

    public static string Text(string path) => File.ReadAllText(Repository.File(path));

    private static string[] Git(params string[] arguments)
    {
        using var git = Process.Start(new ProcessStartInfo("git", ["-C", Repository.Root, .. arguments]) { RedirectStandardOutput = true })!;
        return git.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
