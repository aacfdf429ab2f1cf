using System.Text.RegularExpressions;
using NodaTime;
using NodaTime.TimeZones;
using NodaTime.Utility;

namespace KpiControl.Cli.Zones;

/// <summary>Another release of the time zone database: a directory of compiled zones, as tzdata installs them, or NodaTime's one file.</summary>
internal sealed partial class OtherZones
{
    private readonly Func<string, Func<DateTime, TimeSpan>?> _find;

    private OtherZones(string version, Func<string, Func<DateTime, TimeSpan>?> find) => (Version, _find) = (version, find);

    public string Version { get; }

    /// <summary>The offset of a zone at an instant in UTC; null where this database has no such zone.</summary>
    public Func<DateTime, TimeSpan>? Find(string zone) => _find(zone);

    public static OtherZones Open(string path)
    {
        if (Directory.Exists(path))
            return File.Exists(Path.Combine(path, "UTC")) || File.Exists(Path.Combine(path, "Etc", "UTC")) ? OfDirectory(Path.GetFullPath(path))
                : throw new Refusal($"'{path}' is no zone database", "give the directory that has Europe/Berlin in it, such as usr/share/zoneinfo of an unpacked tzdata package");
        if (!File.Exists(path))
            throw new Refusal($"'{path}' is not there", "give a directory of compiled zones, or a NodaTime .nzd file");
        try
        {
            using var file = File.OpenRead(path);
            var source = TzdbDateTimeZoneSource.FromStream(file);
            var ids = source.GetIds().ToHashSet(StringComparer.Ordinal);
            return new OtherZones(source.TzdbVersion, id => ids.Contains(id) && source.ForId(id) is { } zone
                ? utc => zone.GetUtcOffset(Instant.FromDateTimeUtc(DateTime.SpecifyKind(utc, DateTimeKind.Utc))).ToTimeSpan() : null);
        }
        catch (InvalidNodaDataException)
        {
            throw new Refusal($"'{path}' is no NodaTime zone file", "get one from the NodaTime project (tzdb2026a.nzd), or give a directory of compiled zones");
        }
    }

    private static OtherZones OfDirectory(string path) => new(VersionIn(path), id =>
    {
        var before = Environment.GetEnvironmentVariable("TZDIR");
        // The platform's own reader, told to look elsewhere: nothing else runs in this process meanwhile.
        Environment.SetEnvironmentVariable("TZDIR", path);
        TimeZoneInfo.ClearCachedData();
        try
        {
            return File.Exists(Path.Combine(path, id)) && TimeZoneInfo.TryFindSystemTimeZoneById(id, out var zone) ? zone.GetUtcOffset : null;
        }
        finally
        {
            Environment.SetEnvironmentVariable("TZDIR", before);
            TimeZoneInfo.ClearCachedData();
        }
    });

    private static string VersionIn(string path)
    {
        foreach (var file in new[] { "tzdata.zi", "+VERSION", "version" }.Select(name => Path.Combine(path, name)).Where(File.Exists))
            if (File.ReadLines(file).FirstOrDefault() is { } line && Release().Match(line) is { Success: true } release)
                return release.Value;
        return "unknown";
    }

    [GeneratedRegex(@"\b(19|20)\d\d[a-z]{1,2}\b", RegexOptions.CultureInvariant)]
    private static partial Regex Release();
}
