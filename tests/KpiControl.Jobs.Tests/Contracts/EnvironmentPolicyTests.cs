using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Jobs.Tests.Contracts;

public sealed class EnvironmentPolicyTests
{
    private static readonly MetricContract Contract = Samples.Contract(Samples.DsoContract);
    private static readonly JobArtifact Job = Samples.Job(Samples.Dso);
    private static readonly JobArtifact Bare = Job with { Sla = null, Alerts = [] };

    private static EnvironmentPolicy Policy(string environment) =>
        EnvironmentPolicy.Usual(environment) with { AllowedRegions = ["eu", "us"], Principals = new HashSet<string> { "business", "technical" } };

    private static IEnumerable<string> Rules(IEnumerable<Finding> findings) => findings.Select(f => f.Rule);

    [Theory]
    [InlineData("dev")]
    [InlineData("stg")]
    [InlineData("prod")]
    public void A_job_with_owners_sla_and_alerts_passes_everywhere(string environment) => Assert.Empty(Policy(environment).Check(Job, Contract, "eu"));

    [Fact]
    public void Dev_asks_only_for_a_region() => Assert.Empty(Policy("dev").Check(Bare, null, "eu"));

    [Fact]
    public void Outside_dev_a_job_has_owners_an_sla_and_an_alert_route() =>
        Assert.Equal(["policy.owner", "policy.owner", "policy.sla", "policy.alerts"], Rules(Policy("stg").Check(Bare, null, "us")));

    [Fact]
    public void A_policy_may_ask_for_less_or_for_more()
    {
        Assert.Equal(["policy.alerts"], Rules((Policy("stg") with { RequiresOwners = false, RequiresSla = false }).Check(Bare, null, "us")));
        Assert.Equal(["policy.sla"], Rules((Policy("dev") with { RequiresSla = true }).Check(Bare, null, "us")));
    }

    [Fact]
    public void An_owner_is_a_principal_of_the_tenant()
    {
        Assert.Equal(["policy.owner"], Rules(Policy("prod").Check(Job with { Owners = new JobOwners("stranger", null) }, Contract, "eu")));
        Assert.Empty((Policy("prod") with { Principals = null }).Check(Job with { Owners = new JobOwners("anyone", null) }, Contract, "eu"));
    }

    [Fact]
    public void A_region_must_be_allowed_and_named()
    {
        Assert.Equal(["policy.region"], Rules(Policy("dev").Check(Job, Contract, "ap")));
        Assert.Equal(["policy.region"], Rules(Policy("dev").Check(Job, Contract, null)));
        Assert.Contains("eu, us", Policy("dev").Check(Job, Contract, "ap")[0].Hint, StringComparison.Ordinal);
    }
}
