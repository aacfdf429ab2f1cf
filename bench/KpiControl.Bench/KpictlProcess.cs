using System.Diagnostics;

namespace KpiControl.Bench;

/// <summary>The shipped kpictl, a process for each call.</summary>
internal sealed class KpictlProcess(string server, string token, string home)
{
    /// <exception cref="InvalidOperationException">It ended with another code than 0.</exception>
    public async Task<double> SecondsAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "kpictl.dll"), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        (start.Environment["KPICTL_SERVER"], start.Environment["KPICTL_TOKEN"], start.Environment["HOME"]) = (server, token, home);
        var clock = Stopwatch.StartNew();
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        var seconds = clock.Elapsed.TotalSeconds;
        return process.ExitCode == 0 ? seconds : throw new InvalidOperationException($"kpictl {arguments[0]} ended with {process.ExitCode}: {(await errors).Split('\n')[0]} {(await output).Split('\n')[0]}");
    }
}
