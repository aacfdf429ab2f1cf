using KpiControl.Testing;

namespace KpiControl.EndToEnd.Tests.Kills;

/// <summary>A control process that can be killed and started again at the same address.</summary>
internal sealed class ControlNode(string name, string directory, TestDatabase database, TestIssuer issuer, TimeSpan ttl, params (string, string)[] more) : IAsyncDisposable
{
    private ShippedProcess? process;

    public string Url { get; private set; } = "http://127.0.0.1:0";

    public string RestUrl { get; private set; } = "";

    public ShippedProcess Process => process!;

    public async Task StartAsync()
    {
        var addresses = Path.Combine(directory, $"{name}-addresses");
        File.Delete(addresses);
        process = ShippedProcess.Start("KpiControl.Control", "kpi-control",
        [
            ("KPI_Database__Requests", database.Requests), ("KPI_Database__Scheduler", database.Scheduler),
            ("KPI_Authentication__Issuer", issuer.Url), ("KPI_Authentication__Audience", issuer.Audience),
            ("KPI_Listen__Grpc", Url), ("KPI_Listen__Rest", "http://127.0.0.1:0"), ("KPI_Listen__AddressFile", addresses),
            ("KPI_Tenants__0__Id", "acme"), ("KPI_Tenants__0__HomeRegion", "eu"), ("KPI_Tenants__0__Regions__0", "eu"),
            ("KPI_Leases__Node", name), ("KPI_Leases__Ttl", $"{ttl}"), ("KPI_Leases__HeartbeatEvery", $"{ttl / 8}"),
            ("KPI_Leases__Grace", "00:00:00.5"), ("KPI_Leases__ReclaimEvery", "00:00:00.2"), ("KPI_Leases__PollEvery", "00:00:00.5"),
            .. more,
        ]);
        await Patience.UntilAsync($"control node {name} listens", () => Task.FromResult(File.Exists(addresses)), process);
        Url = AddressOf("grpc=");
        RestUrl = AddressOf("rest=");

        string AddressOf(string door) => File.ReadAllLines(addresses).Single(line => line.StartsWith(door, StringComparison.Ordinal))[door.Length..];
    }

    public Task KillAsync() => Process.KillAsync();

    public async ValueTask DisposeAsync()
    {
        if (process is not null)
            await process.DisposeAsync();
    }
}
