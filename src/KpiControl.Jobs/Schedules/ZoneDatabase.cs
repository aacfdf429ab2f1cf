using System.Text;
using System.Text.RegularExpressions;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Schedules;

/// <summary>The platform's zones, by IANA name only.</summary>
internal static partial class ZoneDatabase
{
    // What identifies the database on Debian, Alpine and BSD; first line each.
    private static readonly string[] VersionFiles = ["tzdata.zi", "+VERSION", "version"];

    /// <summary>As in <c>2025b</c>; null where the platform does not say.</summary>
    private static readonly Lazy<string?> Release = new(ReadRelease);

    public static TimeZoneInfo? Find(string name, out string? error)
    {
        // posix/ and right/ are other builds of the same zones (the latter counts leap seconds), localtime is the machine's.
        var known = IanaName().IsMatch(name) && !name.StartsWith("posix", StringComparison.Ordinal)
            && !name.StartsWith("right/", StringComparison.Ordinal) && name is not ("localtime" or "Factory");
        // The platform finds a zone in any case once it has been found in the right one: an answer must not hang on what was asked before.
        if (known && TimeZoneInfo.TryFindSystemTimeZoneById(name, out var zone) && zone.Id == name)
        {
            error = null;
            return zone;
        }
        error = $"'{name}' is not a time zone of the IANA database (as in Europe/Berlin or UTC; spelling and case count)";
        return null;
    }

    /// <summary>The database's release, or, where that cannot be read, a digest of this zone's rules, so that two replicas can be told apart.</summary>
    public static string VersionFor(TimeZoneInfo zone) =>
        Release.Value ?? "rules:" + ContentHash.Of(Encoding.UTF8.GetBytes(zone.ToSerializedString()))[ContentHash.Prefix.Length..][..12];

    // The only file this library reads itself, once, from beside those that TimeZoneInfo reads.
    private static string? ReadRelease()
    {
        var folder = Environment.GetEnvironmentVariable("TZDIR") ?? "/usr/share/zoneinfo";
        foreach (var file in VersionFiles.Select(name => Path.Combine(folder, name)).Where(File.Exists))
            if (File.ReadLines(file).FirstOrDefault() is { } line && ReleaseName().Match(line) is { Success: true } release)
                return release.Value;
        return null;
    }

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$", RegexOptions.CultureInvariant)]
    private static partial Regex IanaName();

    [GeneratedRegex(@"\b(19|20)\d\d[a-z]{1,2}\b", RegexOptions.CultureInvariant)]
    private static partial Regex ReleaseName();
}
