using System.Security.Cryptography;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Agent.Executors.Sql.Stages;

/// <summary>A CSV file of the connection's data directory.</summary>
internal sealed record SourceFile(string Path)
{
    private const int LongestHeader = 64 * 1024;

    /// <summary>The file of a contract, or why it is not there to be read.</summary>
    public static (SourceFile? File, string NotReady) Find(string? directory, string name)
    {
        if (directory is null)
            return (null, "the connection has no data_directory");
        var path = System.IO.Path.GetFullPath(name, directory);
        var info = new FileInfo(path);
        if (!info.Exists)
            return (null, $"the data directory has no file {name}");
        // A link must not lead out of the directory that the region's people opened.
        return info.ResolveLinkTarget(returnFinalTarget: true) is { } target && !IsWithin(directory, target.FullName)
            ? (null, $"{name} is a link that leads out of the data directory") : (new SourceFile(path), "");
    }

    /// <summary>What the header line says against the contract, or null where it is just that.</summary>
    public async Task<string?> HeaderProblemAsync(IReadOnlyList<ContractField> columns, CancellationToken token)
    {
        using var reader = new StreamReader(Path);
        var buffer = new char[LongestHeader];
        var header = new string(buffer, 0, await reader.ReadBlockAsync(buffer, token)).Split('\n')[0].TrimEnd('\r');
        var there = header.Split(',').Select(name => name.Trim('"')).ToList();
        // Never the line itself: of a file without a header it is a row.
        return there.SequenceEqual(columns.Select(column => column.Name)) ? null
            : $"the first line of {System.IO.Path.GetFileName(Path)} is not the header that its contract says: {string.Join(",", columns.Select(column => column.Name))}";
    }

    /// <summary><c>sha256:…</c> of the bytes.</summary>
    public async Task<string> DigestAsync(CancellationToken token)
    {
        await using var stream = File.OpenRead(Path);
        return $"sha256:{Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, token))}";
    }

    private static bool IsWithin(string directory, string path) =>
        path.StartsWith(System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(directory)) + System.IO.Path.DirectorySeparatorChar, StringComparison.Ordinal);
}
