using System.Diagnostics;
using KpiControl.Agent.Connections;
using KpiControl.Agent.Executors;
using KpiControl.Agent.Secrets;
using KpiControl.Testing;

namespace KpiControl.Agent.Tests.Executors;

/// <summary>The sample KPI service as its own process, on a port that the system chose, with the agent's executor for it.</summary>
internal sealed class SampleService : IAsyncDisposable
{
    private readonly Process process;
    private readonly DirectoryInfo directory;
    private readonly ExecutorRegistry registry;

    private SampleService(Process process, DirectoryInfo directory, Connection connection)
    {
        (this.process, this.directory) = (process, directory);
        registry = new ExecutorRegistry([connection], new KpiControl.Agent.Secrets.SecretsInHand(), TimeProvider.System);
    }

    public IExecutor Executor => registry.For("http")!;

    public static async Task<SampleService> StartAsync(string data)
    {
        var directory = Directory.CreateTempSubdirectory("kpi-service-");
        var token = Path.Combine(directory.FullName, "token");
        await File.WriteAllTextAsync(token, Guid.NewGuid().ToString("N"));
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(token, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var configuration = AppContext.BaseDirectory.Contains("Release", StringComparison.Ordinal) ? "Release" : "Debug";
        var process = Process.Start(new ProcessStartInfo("dotnet",
            [Repository.File("samples", "KpiService", "bin", configuration, "net10.0", "kpi-sample-service.dll"), "--urls", "http://127.0.0.1:0", "--data", data, "--token-file", token])
        { RedirectStandardOutput = true })!;
        // Its first line says where it listens.
        var line = await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("the sample service did not start");
        return new SampleService(process, directory, new Connection
        {
            ConnId = "http", Driver = Driver.Http, Endpoint = line.Split(' ').First(word => word.StartsWith("http://", StringComparison.Ordinal)).TrimEnd(','),
            Credential = new SecretReference("file", token), ReportPoints = 5000,
        });
    }

    public async ValueTask DisposeAsync()
    {
        await registry.DisposeAsync();
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        directory.Delete(recursive: true);
    }
}
