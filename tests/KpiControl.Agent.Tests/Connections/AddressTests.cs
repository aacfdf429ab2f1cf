using System.Net;
using KpiControl.Agent.Connections;
using KpiControl.Agent.Executors;
using KpiControl.Agent.Secrets;

namespace KpiControl.Agent.Tests.Connections;

/// <summary>Where no connection goes, whatever its name says.</summary>
public sealed class AddressTests
{
    [Theory]
    [InlineData("kpi.example", "169.254.169.254")]
    [InlineData("kpi.example", "10.0.0.1,169.254.0.1")]
    [InlineData("kpi.example", "::ffff:169.254.169.254")]
    [InlineData("kpi.example", "fe80::1")]
    [InlineData("kpi.example", "fd00:ec2::254")]
    [InlineData("kpi.example", "100.100.100.200")]
    [InlineData("kpi.example", "0.0.0.0")]
    [InlineData("kpi.example", "127.0.0.1")]
    [InlineData("loopback", "127.0.0.1")]
    [InlineData("kpi.example", "::1")]
    public void A_name_that_leads_to_it_is_refused(string host, string addresses) =>
        Assert.NotNull(Addresses.Refusal(host, addresses.Split(',').Select(IPAddress.Parse)));

    [Theory, InlineData("kpi.example", "10.1.2.3"), InlineData("localhost", "127.0.0.1"), InlineData("127.0.0.1", "127.0.0.1"), InlineData("[::1]", "::1"), InlineData("kpi.example", "2001:db8::1")]
    public void What_a_connection_may_mean_is_called(string host, string address) => Assert.Null(Addresses.Refusal(host, [IPAddress.Parse(address)]));

    [Theory, InlineData(Driver.Http, "https://169.254.169.254/latest", "on_time_http.yaml", "2001-03-31"), InlineData(Driver.PostgreSql, "postgresql://169.254.169.254/finance", "renewable_share_yearly.yaml", "2017-12-31")]
    internal async Task A_metadata_service_is_never_called(Driver driver, string endpoint, string job, string businessDate)
    {
        await using var registry = new ExecutorRegistry([new Connection { ConnId = "default", Driver = driver, Endpoint = endpoint }], new SecretsInHand(), TimeProvider.System);
        var outcome = await registry.For("default")!.ExecuteAsync(Executors.Samples.Lease(job, businessDate), default, default);
        Assert.Equal(("failed", "POLICY_DENY"), (outcome.Status, outcome.ErrorCode));
        Assert.Contains("never called", outcome.ErrorMessage, StringComparison.Ordinal);
    }
}
