using System.Collections.Concurrent;
using System.Diagnostics;
using KpiControl.Testing;

namespace KpiControl.EndToEnd.Tests;

/// <summary>One of the product's executables, as it was built, in a process of its own.</summary>
internal sealed class ShippedProcess : IAsyncDisposable
{
    private readonly Process process;
    private readonly ConcurrentQueue<string> output = new();

    private bool disposed;

    private ShippedProcess(Process process) => this.process = process;

    public string Output => string.Join('\n', output);

    public bool HasExited => process.HasExited;

    public int Id => process.Id;

    /// <param name="project"><c>KpiControl.Control</c>.</param>
    /// <param name="executable"><c>kpi-control</c>.</param>
    /// <param name="settings">Environment variables.</param>
    /// <param name="under">Shell words before the executable takes the process over, e.g. <c>trap '' XFSZ</c>.</param>
    public static ShippedProcess Start(string project, string executable, IEnumerable<(string Name, string Value)> settings, string? under = null)
    {
        // The tests' own configuration (Debug or Release) is the folder above their framework's.
        var flavour = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/'));
        var folder = Repository.File("src", project, "bin", flavour.Parent!.Name, flavour.Name);
        var path = Path.Combine(folder, executable);
        var start = under is null ? new ProcessStartInfo(path) : new ProcessStartInfo("bash", ["-c", under + "; exec \"$0\"", path]);
        (start.WorkingDirectory, start.RedirectStandardOutput, start.RedirectStandardError) = (folder, true, true);
        foreach (var (name, value) in settings)
            start.Environment[name] = value;

        var started = new ShippedProcess(new Process { StartInfo = start });
        started.process.OutputDataReceived += (_, line) => started.output.Enqueue(line.Data ?? "");
        started.process.ErrorDataReceived += (_, line) => started.output.Enqueue(line.Data ?? "");
        started.process.Start();
        started.process.BeginOutputReadLine();
        started.process.BeginErrorReadLine();
        return started;
    }

    /// <summary>SIGKILL, as the kernel does it when memory is short.</summary>
    public async Task KillAsync()
    {
        process.Kill();
        await process.WaitForExitAsync();
    }

    /// <param name="name">As kill takes it: <c>STOP</c>, <c>CONT</c>, <c>TERM</c>.</param>
    public void Signal(string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", $"{process.Id}"]);
        kill.WaitForExit();
    }

    public async ValueTask DisposeAsync()
    {
        if (disposed)
            return;
        disposed = true;
        if (!process.HasExited)
            await KillAsync();
        process.Dispose();
    }
}
