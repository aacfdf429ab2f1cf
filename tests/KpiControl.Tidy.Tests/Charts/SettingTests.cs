using System.Text.RegularExpressions;
using k8s.Models;
using KpiControl.Agent.Hosting;
using KpiControl.Control.Leases;

namespace KpiControl.Tidy.Tests.Charts;

/// <summary>A setting that was renamed in the product must not live on in a chart or an image, where nobody would read it.</summary>
public sealed class SettingTests
{
    [Fact]
    public void Every_setting_of_the_charts_is_one_of_the_product()
    {
        var control = Names("kpi-control").ToList();
        var agent = Names("kpi-agent").Except(["WAREHOUSE_PASSWORD"]).ToList(); // what a connection file refers to
        Assert.Contains("KPI_Database__Migrations", control);
        Assert.Contains("Agent__Outbox__Directory", agent);
        Assert.Empty(control.Select(Control).Concat(agent.Select(Agent)).OfType<string>());
    }

    [Fact]
    public void Every_setting_of_the_images_is_one_of_the_product() => Assert.Empty(
        Environment("Dockerfile.control").Select(Control).Concat(Environment("Dockerfile.agent").Select(Agent)).OfType<string>());

    [Theory]
    [InlineData("KPI_Leases__Tttl")]
    [InlineData("KPI_Lease__Ttl")]
    [InlineData("KPI_Leases__ExtendEvery")]
    [InlineData("KPI_Tenants__0__Home")]
    [InlineData("KPI_Tenants__first__Id")]
    [InlineData("Leases__Ttl")]
    public void A_name_that_nothing_reads_is_found(string variable) => Assert.NotNull(Control(variable));

    private static string? Control(string variable) => SettingNames.Fault(variable, typeof(LeaseOptions).Assembly, "KPI_");
    private static string? Agent(string variable) => SettingNames.Fault(variable, typeof(AgentOptions).Assembly, "");

    private static IEnumerable<string> Names(string chart)
    {
        var objects = Helm.Objects(chart).ToList();
        var templates = objects.OfType<V1Deployment>().Select(d => d.Spec.Template).Concat(objects.OfType<V1StatefulSet>().Select(s => s.Spec.Template));
        return objects.OfType<V1ConfigMap>().SelectMany(c => c.Data.Keys).Where(name => name.Contains("__", StringComparison.Ordinal))
            .Concat(templates.SelectMany(t => t.Spec.Containers).SelectMany(c => c.Env).Select(e => e.Name)).Distinct();
    }

    private static IEnumerable<string> Environment(string dockerfile) =>
        Regex.Matches(Sources.Text(dockerfile), @"(?m)(?<=^ENV .*)\b([\w]+__[\w]+)=").Select(m => m.Groups[1].Value);
}
