using KpiControl.Testing;

namespace KpiControl.EndToEnd.Tests.Kills;

/// <summary>An agent in region eu that can be killed and started again on the same outbox.</summary>
internal sealed class AgentUnderTest(string name, string directory, string address, TestIssuer issuer, IEnumerable<(string, string)> connections) : IAsyncDisposable
{
    private ShippedProcess? process;

    public string Name => name;

    public string Outbox => Path.Combine(directory, $"{name}-outbox");

    public ShippedProcess Process => process!;

    public void Start(string? under = null)
    {
        var token = Path.Combine(directory, $"{name}-token");
        PrivateText.Write(token, issuer.AgentToken(name, "eu", "acme"));
        process = ShippedProcess.Start("KpiControl.Agent", "kpi-agent",
        [
            ("Agent__Name", name), ("Agent__Region", "eu"), ("Agent__Slots", "8"),
            ("Agent__ConnectionsFile", Repository.File("samples", "connections", "eu.yaml")),
            ("Agent__ControlPlane__Address", address), ("Agent__ControlPlane__Token", $"file:{token}"),
            ("Agent__ControlPlane__ShortestPause", "00:00:00.05"), ("Agent__ControlPlane__LongestPause", "00:00:00.2"),
            ("Agent__Outbox__Directory", Outbox), ("Agent__Outbox__RetryEvery", "00:00:00.1"),
            .. connections,
        ], under);
    }

    public async Task RestartAsync()
    {
        await Process.DisposeAsync();
        Start();
    }

    public async ValueTask DisposeAsync()
    {
        if (process is not null)
            await process.DisposeAsync();
    }
}
