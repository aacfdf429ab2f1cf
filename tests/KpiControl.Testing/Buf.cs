using System.Diagnostics;

namespace KpiControl.Testing;

/// <summary>npm's buf, a gRPC client that knows only what reflection tells it; installed into .tools/ where it is not there yet.</summary>
public static class Buf
{
    private static readonly Lazy<Task<string>> Executable = new(InstallAsync);

    /// <summary>Where the program is.</summary>
    public static Task<string> PathAsync() => Executable.Value;

    /// <returns>The exit code, standard output and standard error.</returns>
    public static async Task<(int Code, string Output, string Error)> RunAsync(CancellationToken token, params string[] arguments) =>
        await RunAsync(await Executable.Value, Repository.Root, arguments, token);

    private static async Task<string> InstallAsync()
    {
        var folder = Repository.File(".tools", "npm");
        var buf = Path.Combine(folder, "node_modules", "@bufbuild", "buf-linux-x64", "bin", "buf");
        Directory.CreateDirectory(folder);
        // Test processes may ask at once; one installs and the others find it there.
        await using var alone = await LockAsync(Path.Combine(folder, "lock"));
        if (File.Exists(buf))
            return buf;
        foreach (var file in new[] { "package.json", "package-lock.json" })
            File.Copy(Repository.File("tests", "tools", file), Path.Combine(folder, file), overwrite: true);
        var (code, output, error) = await RunAsync("npm", folder, ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], CancellationToken.None);
        return code == 0 ? buf : throw new InvalidOperationException($"npm ci ended with {code}: {output}{error}");
    }

    private static async Task<FileStream> LockAsync(string path)
    {
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, CancellationToken.None);
            }
        }
    }

    private static async Task<(int, string, string)> RunAsync(string program, string folder, string[] arguments, CancellationToken token)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["BUF_CACHE_DIR"] = Repository.File(".tools", "buf-cache");
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(token);
        var error = process.StandardError.ReadToEndAsync(token);
        await process.WaitForExitAsync(token);
        return (process.ExitCode, await output, await error);
    }
}
