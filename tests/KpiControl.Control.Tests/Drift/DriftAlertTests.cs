using System.Text.Json.Nodes;
using KpiControl.Control.Tests.Alerts;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Drift;

/// <summary>Whom a job that is not as its store has it is told to, and when that is over.</summary>
public sealed class DriftAlertTests : IDisposable
{
    private const string Routes = "alerts: [ { channel: \"webhook:ops\", severity: high } ]";

    private readonly string root = Directory.CreateTempSubdirectory("kpi-files-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string File => Path.Combine(root, "daily.yaml");

    public void Dispose()
    {
        if (Directory.Exists(root))
            Directory.Delete(root, recursive: true);
    }

    [Theory]
    [InlineData("drifted", "drifted: the store has moved on from what is bound (acme-store)")]
    [InlineData("missing", "missing: the store has daily.yaml no more; the job goes on with what is bound (acme-store)")]
    [InlineData("invalid", "invalid: daily.yaml is no valid artifact: ")]
    [InlineData("unreadable", "unreadable: the store cannot be read since ")]
    public async Task A_drift_is_told_once_where_failures_are_told_and_so_is_its_end(string state, string told)
    {
        await using var receiver = await AlertReceiver.StartAsync();
        await using var world = await DriftWorld.OfDirectoryAsync(root, [("Drift:AlertAfter", "00:00:00"), .. receiver.Settings]);
        await BoundAsync(world);
        await BreakAsync(state);
        await world.SyncAsync();
        Assert.Equal(state, await world.StateAsync("daily"));

        var alert = JsonNode.Parse((await receiver.UntilAsync("/hook", 1))[0].Body)!;
        Assert.Equal(("drift", "low", "drift"), ((string?)alert["data"]!["event"], (string?)alert["data"]!["severity"], (string?)alert["data"]!["clock"]));
        Assert.StartsWith($"[drift] acme/dev/daily: {told}", (string?)alert["data"]!["text"], StringComparison.Ordinal);
        var episode = Assert.Single((await Alerts(world).ListEpisodesAsync(new ListEpisodesRequest { Clock = "drift" }, cancellationToken: Token)).Episodes);
        Assert.StartsWith(told, episode.Detail, StringComparison.Ordinal);

        // Nothing new is told of what stays as it is, or goes from bad to worse.
        await world.SyncAsync();
        Directory.CreateDirectory(root);
        await System.IO.File.WriteAllTextAsync(File, Artifact("*/15 * * * *"), Token);
        await world.SyncAsync(readAll: true);
        Assert.Equal("in_sync", await world.StateAsync("daily"));
        var over = await receiver.UntilAsync("/hook", 2);
        Assert.Equal(2, over.Count);
        Assert.StartsWith("[recovered] acme/dev/daily: it is what its store holds\n", (string?)JsonNode.Parse(over[1].Body)!["data"]!["text"], StringComparison.Ordinal);
        Assert.Empty((await Alerts(world).ListEpisodesAsync(new ListEpisodesRequest { Clock = "drift" }, cancellationToken: Token)).Episodes);
    }

    [Fact]
    public async Task What_is_over_before_it_has_lasted_is_told_nobody()
    {
        await using var receiver = await AlertReceiver.StartAsync();
        await using var world = await DriftWorld.OfDirectoryAsync(root, receiver.Settings);
        await BoundAsync(world);
        await BreakAsync("drifted");
        await world.SyncAsync();
        Assert.Equal("drifted", await NotedAsync(world, "fault IS NOT NULL"));
        await System.IO.File.WriteAllTextAsync(File, Artifact("*/15 * * * *"), Token);
        await world.SyncAsync();
        await NotedAsync(world, "fault IS NULL");
        Assert.Equal(0, await world.ScalarAsync<int>("SELECT count(*)::int FROM kpi_sla_episode"));
    }

    [Fact]
    public async Task A_store_that_is_configured_no_more_is_told_once_of_each_job_that_follows_it_and_doctor_says_it()
    {
        await using var receiver = await AlertReceiver.StartAsync();
        (string Key, string Value)[] settings = [("Drift:AlertAfter", "00:00:00"), ("Drift:LookEvery", "00:00:00.05"), .. receiver.Settings];
        await using var world = await DriftWorld.OfDirectoryAsync(root, settings);
        await BoundAsync(world);
        await world.Host.StopAsync();
        await using (var without = await ControlHost.StartAsync(world.Database, world.Issuer, settings))
        {
            var alert = JsonNode.Parse((await receiver.UntilAsync("/hook", 1))[0].Body)!;
            Assert.StartsWith("[drift] acme/dev/daily: unreadable: the store is not configured any more; when it was read last, ", (string?)alert["data"]!["text"], StringComparison.Ordinal);
            var doctor = new DoctorService.DoctorServiceClient(without.Channel(world.Issuer.PersonToken("operator", "*/*/platform_operator")));
            var check = (await doctor.DiagnoseAsync(new DiagnoseRequest(), cancellationToken: Token)).Checks.Single(one => one.Kind == "stores");
            Assert.Equal(("open", "tenant acme, dev: the store acme-store is configured no more, and 1 jobs follow it (kpictl drift --store acme-store)"), (check.Outcome, Assert.Single(check.Rows)));
        }
        // Another node says no more, and one that has the store again tells its end.
        await using var back = await ControlHost.StartAsync(world.Database, world.Issuer, DriftWorld.Settings("directory", root, settings));
        var told = await receiver.UntilAsync("/hook", 2);
        Assert.Equal(2, told.Count);
        Assert.StartsWith("[recovered] acme/dev/daily: it is what its store holds\n", (string?)JsonNode.Parse(told[1].Body)!["data"]!["text"], StringComparison.Ordinal);
    }

    private static AlertService.AlertServiceClient Alerts(DriftWorld world) => new(world.Host.Channel());

    private static string Artifact(string cron) => SampleTexts.Simple("daily", cron, Routes);

    private async Task BoundAsync(DriftWorld world)
    {
        await world.Host.Jobs().CreateJobAsync(new CreateJobRequest { Content = Artifact("*/15 * * * *") }, cancellationToken: Token);
        await System.IO.File.WriteAllTextAsync(File, Artifact("*/15 * * * *"), Token);
        await world.SyncAsync();
        Assert.Equal("in_sync", await world.StateAsync("daily"));
    }

    private async Task BreakAsync(string state)
    {
        if (state == "missing")
            System.IO.File.Delete(File);
        else if (state == "unreadable")
            Directory.Delete(root, recursive: true);
        else
            await System.IO.File.WriteAllTextAsync(File, state == "invalid" ? "job_id: daily\n" : Artifact("0 5 * * *"), Token);
    }

    private static Task<string> NotedAsync(DriftWorld world, string state) => Eventually.ComesAsync(state, _ => world.ScalarAsync<string>($"SELECT COALESCE(fault, '-') FROM kpi_source_ref WHERE {state}"));
}
