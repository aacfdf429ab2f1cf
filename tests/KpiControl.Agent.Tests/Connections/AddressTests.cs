using KpiControl.Agent.Connections;
using KpiControl.Agent.Executors;
using KpiControl.Agent.Secrets;

namespace KpiControl.Agent.Tests.Connections;

/// <summary>Where no connection goes, whatever its name says.</summary>
public sealed class AddressTests
{
    [Theory, InlineData(Driver.Http, "https://169.254.169.254/latest", "on_time_http.yaml", "2001-03-31"), InlineData(Driver.PostgreSql, "postgresql://169.254.169.254/finance", "renewable_share_yearly.yaml", "2017-12-31")]
    internal async Task A_metadata_service_is_never_called(Driver driver, string endpoint, string job, string businessDate)
    {
        await using var registry = new ExecutorRegistry([new Connection { ConnId = "default", Driver = driver, Endpoint = endpoint }], new SecretsInHand(), TimeProvider.System);
        var outcome = await registry.For("default")!.ExecuteAsync(Executors.Samples.Lease(job, businessDate), default, default);
        Assert.Equal(("failed", "POLICY_DENY"), (outcome.Status, outcome.ErrorCode));
        Assert.Contains("never called", outcome.ErrorMessage, StringComparison.Ordinal);
    }
}
