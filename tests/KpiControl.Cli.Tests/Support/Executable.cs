using System.Diagnostics;
using KpiControl.Testing;

namespace KpiControl.Cli.Tests.Support;

/// <summary>The executable itself, as it is shipped.</summary>
internal static class Executable
{
    // Where it was built, not its copy beside the tests: there the framework of the tests stands in for its own libraries.
    private static readonly string Kpictl = Repository.File(Path.Combine("src", "KpiControl.Cli", "bin",
        Path.GetFileName(Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd('/')))!, "net10.0", "kpictl"));

    public static Process Start(params string[] args)
    {
        var start = new ProcessStartInfo(Kpictl, args)
        { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("KPI", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(name);
        start.Environment["KPICTL_TOKEN"] = "token-of-a-test";
        start.Environment["XDG_CONFIG_HOME"] = AppContext.BaseDirectory;
        return Process.Start(start)!;
    }

    public static async Task<CommandResult> Run(params string[] args)
    {
        using var process = Start(args);
        var standard = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return new CommandResult(process.ExitCode, await standard, await error);
    }

    /// <summary>
    /// User and system time of the best of some runs: what a quiet machine would wait. The clock on the wall measures the
    /// other tests.
    /// </summary>
    public static async Task<TimeSpan> LeastProcessorTime(int most, TimeSpan enough, params string[] args)
    {
        var least = TimeSpan.MaxValue;
        for (var i = 0; i < most && least > enough; i++)
        {
            using var shell = Process.Start(new ProcessStartInfo("bash", ["-c", "TIMEFORMAT='%U %S'; time \"$@\" 2>&1", "bash", Kpictl, .. args])
            { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var output = shell.StandardOutput.ReadToEndAsync();
            var times = (await shell.StandardError.ReadToEndAsync()).Trim().Split(' ').Select(text => double.Parse(text, System.Globalization.CultureInfo.InvariantCulture));
            await shell.WaitForExitAsync();
            Assert.True(shell.ExitCode == 0, await output);
            least = TimeSpan.FromSeconds(Math.Min(least.TotalSeconds, times.Sum()));
        }
        return least;
    }
}
