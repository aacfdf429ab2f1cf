using System.Diagnostics;
using KpiControl.Testing;

namespace KpiControl.Bench;

/// <summary>The shipped control plane as a process of its own.</summary>
internal sealed class ControlProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly string _addressFile;

    private ControlProcess(Process process, string addressFile) => (_process, _addressFile) = (process, addressFile);

    public string GrpcUrl { get; private set; } = "";

    public static async Task<ControlProcess> StartAsync(TestDatabase database, TestIssuer issuer, params (string Key, string Value)[] settings)
    {
        var addressFile = Path.Combine(Path.GetTempPath(), $"kpi-bench-{Environment.ProcessId}.addresses");
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "kpi-control.dll")]) { WorkingDirectory = AppContext.BaseDirectory };
        foreach (var (key, value) in new Dictionary<string, string>
        {
            ["KPI_Database__Requests"] = database.Requests, ["KPI_Database__Scheduler"] = database.Scheduler, ["KPI_Authentication__Issuer"] = issuer.Url,
            ["KPI_Authentication__Audience"] = issuer.Audience, ["KPI_Listen__Grpc"] = "http://127.0.0.1:0", ["KPI_Listen__Rest"] = "http://127.0.0.1:0",
            ["KPI_Listen__AddressFile"] = addressFile, ["KPI_Leases__Node"] = "bench", ["KPI_Tenants__0__Id"] = "acme", ["KPI_Tenants__0__HomeRegion"] = "eu",
            ["Logging__LogLevel__Default"] = "Warning", ["DOTNET_TieredPGO"] = "1",
        })
            start.Environment[key] = value;
        foreach (var (key, value) in settings)
            start.Environment[key] = value;
        var control = new ControlProcess(Process.Start(start)!, addressFile);
        while (!File.Exists(addressFile))
        {
            if (control._process.HasExited)
                throw new InvalidOperationException("The control plane did not start.");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        }
        control.GrpcUrl = (await File.ReadAllLinesAsync(addressFile)).Single(line => line.StartsWith("grpc=", StringComparison.Ordinal))["grpc=".Length..];
        return control;
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        File.Delete(_addressFile);
    }
}
