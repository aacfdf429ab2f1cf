using System.Diagnostics;
using KpiControl.Agent.Tests.Leasing;

namespace KpiControl.Agent.Tests.Hosting;

/// <summary>The shipped executable as a child process.</summary>
internal sealed class AgentProcess : IDisposable
{
    private readonly Process process;

    /// <param name="under">A command that ends in <c>exec "$0"</c> semantics, to start the agent under a limit.</param>
    public AgentProcess(Dictionary<string, string?> settings, string? under = null)
    {
        var agent = Path.Combine(AppContext.BaseDirectory, "kpi-agent");
        var start = under is null ? new ProcessStartInfo(agent) : new ProcessStartInfo("bash", ["-c", under + "; exec \"$0\"", agent]);
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        foreach (var (key, value) in settings)
            start.Environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, e) => Lines.Add(e.Data ?? "");
        process.ErrorDataReceived += (_, e) => Lines.Add(e.Data ?? "");
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public LogLines Lines { get; } = new();
    public int Id => process.Id;

    /// <summary>SIGKILL: no handler runs, nothing is flushed.</summary>
    public async Task KillAsync()
    {
        process.Kill();
        await process.WaitForExitAsync(Patience.Token());
    }

    public void Signal(string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    public async Task<int> ExitAsync()
    {
        await process.WaitForExitAsync(Patience.Token());
        return process.ExitCode;
    }

    public void Dispose()
    {
        if (!process.HasExited)
            process.Kill();
        process.Dispose();
    }
}
