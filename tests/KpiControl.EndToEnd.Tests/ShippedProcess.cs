using System.Collections.Concurrent;
using System.Diagnostics;
using KpiControl.Testing;

namespace KpiControl.EndToEnd.Tests;

/// <summary>One of the product's executables, as it was built, in a process of its own.</summary>
internal sealed class ShippedProcess : IAsyncDisposable
{
    private readonly Process process;
    private readonly ConcurrentQueue<string> output = new();

    private ShippedProcess(Process process) => this.process = process;

    public string Output => string.Join('\n', output);

    public bool HasExited => process.HasExited;

    /// <param name="project"><c>KpiControl.Control</c>.</param>
    /// <param name="executable"><c>kpi-control</c>.</param>
    /// <param name="settings">Environment variables.</param>
    public static ShippedProcess Start(string project, string executable, IEnumerable<(string Name, string Value)> settings)
    {
        // The tests' own configuration (Debug or Release) is the folder above their framework's.
        var flavour = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/'));
        var folder = Repository.File("src", project, "bin", flavour.Parent!.Name, flavour.Name);
        var start = new ProcessStartInfo(Path.Combine(folder, executable))
        {
            WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true,
        };
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

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
            await KillAsync();
        process.Dispose();
    }
}
