using KpiControl.Control.Leases;

namespace KpiControl.Control.Tests.Leases;

public sealed class LeaseOptionsTests
{
    [Theory]
    [InlineData(30, 5)]
    [InlineData(30, 60)]
    [InlineData(600, 0.1)]
    public void One_lost_extension_does_not_make_a_node_unsure(double ttl, double grace)
    {
        var options = new LeaseOptions { Ttl = TimeSpan.FromSeconds(ttl), Grace = TimeSpan.FromSeconds(grace) };

        Assert.True(options.ExtendEvery * 2 <= options.Grace);
    }
}
