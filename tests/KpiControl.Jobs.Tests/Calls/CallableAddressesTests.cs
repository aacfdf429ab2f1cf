using System.Net;
using KpiControl.Jobs.Calls;

namespace KpiControl.Jobs.Tests.Calls;

/// <summary>Where no call goes, whatever a name says.</summary>
public sealed class CallableAddressesTests
{
    [Theory]
    [InlineData("kpi.example", "169.254.169.254")]
    [InlineData("kpi.example", "10.0.0.1,169.254.0.1")]
    [InlineData("kpi.example", "::ffff:169.254.169.254")]
    [InlineData("kpi.example", "fe80::1")]
    [InlineData("kpi.example", "fd00:ec2::254")]
    [InlineData("kpi.example", "fd00:ec2::23")]
    [InlineData("kpi.example", "100.100.100.200")]
    [InlineData("kpi.example", "168.63.129.16")]
    [InlineData("kpi.example", "64:ff9b::a9fe:a9fe")]
    [InlineData("kpi.example", "64:ff9b:1::a9fe:a9fe")]
    [InlineData("kpi.example", "2002:a9fe:a9fe::1")]
    [InlineData("kpi.example", "::a9fe:a9fe")]
    [InlineData("kpi.example", "64:ff9b::7f00:1")]
    [InlineData("kpi.example", "::ffff:127.0.0.1")]
    [InlineData("kpi.example", "0.0.0.0")]
    [InlineData("kpi.example", "127.0.0.1")]
    [InlineData("loopback", "127.0.0.1")]
    [InlineData("kpi.example", "::1")]
    public void A_name_that_leads_to_it_is_refused(string host, string addresses) =>
        Assert.NotNull(CallableAddresses.Refusal(host, addresses.Split(',').Select(IPAddress.Parse)));

    [Theory, InlineData("kpi.example", "10.1.2.3"), InlineData("localhost", "127.0.0.1"), InlineData("127.0.0.1", "127.0.0.1"), InlineData("[::1]", "::1"), InlineData("kpi.example", "2001:db8::1"), InlineData("kpi.example", "64:ff9b::a01:203")]
    public void What_a_name_may_mean_is_called(string host, string address) => Assert.Null(CallableAddresses.Refusal(host, [IPAddress.Parse(address)]));
}
