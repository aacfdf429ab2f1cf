using k8s.Models;
using KpiControl.Agent.Execution;
using KpiControl.Agent.Hosting;
using KpiControl.Testing;

namespace KpiControl.Tidy.Tests.Charts;

/// <summary>The charts' manifests, read by Kubernetes' own types. Lint, bad values and required fields: scripts/checks/charts.sh.</summary>
public sealed class ManifestTests
{
    private static V1PodSpec[] Pods { get; } =
    [
        .. Helm.Objects("kpi-control").OfType<V1Deployment>().Select(d => d.Spec.Template.Spec),
        .. Helm.Objects("kpi-agent").OfType<V1StatefulSet>().Select(s => s.Spec.Template.Spec),
    ];

    [Fact]
    public void Every_manifest_has_known_fields_of_the_right_type()
    {
        foreach (var (_, _, text) in Helm.Rendered)
            Assert.NotEmpty(Helm.Strict(text).ToList());
    }

    [Theory]
    [InlineData("unknown-field", "tyype")]
    [InlineData("wrong-type", "Line: 6")]
    public void The_strict_reader_refuses_a_broken_manifest(string name, string culprit)
    {
        var error = Record.Exception(() => Helm.Strict(File.ReadAllText(Repository.File($"tests/charts/broken/{name}.yaml"))).ToList());
        Assert.Contains(culprit, error?.ToString() ?? "taken", StringComparison.Ordinal);
    }

    [Fact]
    public void No_chart_holds_a_secret() =>
        Assert.DoesNotContain(Helm.Rendered, r => r.Text.Contains("kind: Secret", StringComparison.Ordinal));

    [Fact]
    public void Pods_are_not_root_and_can_write_nowhere_but_where_it_is_named()
    {
        Assert.Equal(4, Pods.Length);
        foreach (var pod in Pods)
        {
            Assert.True(pod.SecurityContext.RunAsNonRoot);
            Assert.Equal("RuntimeDefault", pod.SecurityContext.SeccompProfile.Type);
            Assert.False(pod.AutomountServiceAccountToken);
            Assert.All(pod.Containers, container =>
            {
                Assert.True(container.SecurityContext.ReadOnlyRootFilesystem);
                Assert.False(container.SecurityContext.AllowPrivilegeEscalation);
                Assert.Equal(["ALL"], container.SecurityContext.Capabilities.Drop);
                Assert.NotEmpty(container.Resources.Limits);
            });
        }
    }

    [Fact]
    public void The_images_run_as_the_user_that_the_charts_name() => Assert.All(Pods, pod =>
    {
        var dockerfile = Sources.Text(pod.Containers.Single().Name == "control" ? "Dockerfile.control" : "Dockerfile.agent");
        Assert.Contains($"\nUSER {pod.SecurityContext.RunAsUser}:{pod.SecurityContext.RunAsGroup}\n", dockerfile, StringComparison.Ordinal);
    });

    [Fact]
    public void A_stopping_agent_is_waited_for_longer_than_it_may_take() => Assert.All(Agents(), agent =>
    {
        // Beyond its own bounds the host waits ten seconds more (AgentServices).
        var execution = SettingNames.Bind<ExecutionOptions>(ExecutionOptions.Section, agent.Settings);
        Assert.True(agent.Set.Spec.Template.Spec.TerminationGracePeriodSeconds > execution.LongestStop.TotalSeconds + 10);
    });

    [Fact]
    public void An_agents_probes_ask_where_its_health_is_served_and_only_what_it_cannot_mend_restarts_it() => Assert.All(Agents(), agent =>
    {
        var container = agent.Set.Spec.Template.Spec.Containers.Single();
        var served = HealthOptions.Endpoint(SettingNames.Bind<HealthOptions>(HealthOptions.Section, agent.Settings).Listen);
        Assert.Equal((served!.Port, "health"), (container.Ports.Single().ContainerPort, container.Ports.Single().Name));
        Assert.Equal(["/health/live", "/health/ready", "/health/live"],
            new[] { container.StartupProbe, container.ReadinessProbe, container.LivenessProbe }.Select(probe => probe.HttpGet.Path));
    });

    [Fact]
    public void An_agents_outbox_lies_on_the_claim_that_outlives_its_pod() => Assert.All(Agents(), agent =>
    {
        var claim = Assert.Single(agent.Set.Spec.VolumeClaimTemplates).Metadata.Name;
        var mount = Assert.Single(agent.Set.Spec.Template.Spec.Containers.Single().VolumeMounts, m => m.Name == claim);
        Assert.StartsWith(mount.MountPath + "/", agent.Settings["Agent__Outbox__Directory"], StringComparison.Ordinal);
    });

    private static IEnumerable<(V1StatefulSet Set, IDictionary<string, string> Settings)> Agents() =>
        Helm.Rendered.Where(r => r.Chart == "kpi-agent").Select(r => Helm.Strict(r.Text).ToList())
            .Select(all => (all.OfType<V1StatefulSet>().Single(), all.OfType<V1ConfigMap>().First(c => c.Data.ContainsKey("Agent__Region")).Data));
}
