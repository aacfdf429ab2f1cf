using Microsoft.Extensions.FileSystemGlobbing;

namespace KpiControl.Control.Drift.Stores;

/// <summary>Which paths of a store are artifacts.</summary>
internal sealed class PathPatterns
{
    private readonly Matcher matcher = new(StringComparison.Ordinal);

    public PathPatterns(IEnumerable<string> patterns)
    {
        foreach (var pattern in patterns)
            if (pattern.StartsWith('!'))
                matcher.AddExclude(pattern[1..]);
            else
                matcher.AddInclude(pattern);
    }

    /// <summary>Those that match; what begins with a dot, and what lies in a folder that does, is somebody else's.</summary>
    public IReadOnlyList<T> Select<T>(IReadOnlyList<T> found, Func<T, string> path)
    {
        var byPath = found.Where(one => !IsHidden(path(one))).ToDictionary(path, StringComparer.Ordinal);
        return [.. matcher.Match(byPath.Keys).Files.Select(match => byPath[match.Path])];
    }

    private static bool IsHidden(string path) => path.StartsWith('.') || path.Contains("/.", StringComparison.Ordinal);
}
