using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Drift;

/// <summary>Files that somebody changes by hand, beside what is bound.</summary>
public sealed class DirectoryDriftTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("kpi-files-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Fact]
    public async Task Files_are_read_when_their_time_or_size_changes_and_all_of_them_when_somebody_asks()
    {
        await using var world = await DriftWorld.OfDirectoryAsync(root);
        await world.ApplyAsync("daily");
        Write("daily.yaml", SampleTexts.Simple("daily"));
        Write("jobs/eu/other.json", "{");
        Assert.Equal((2, 2), await world.SyncAsync() is var first ? (first.Artifacts, first.ContentsRead) : default);
        Assert.Equal(["jobs/eu/other.json invalid"], await world.ListAsync());
        Assert.Equal((2, 0), await world.SyncAsync() is var same ? (same.Artifacts, same.ContentsRead) : default);

        // As long as before, and its time put back: only its content says that it is another one.
        var (file, time) = (Path.Combine(root, "daily.yaml"), File.GetLastWriteTimeUtc(Path.Combine(root, "daily.yaml")));
        File.WriteAllText(file, SampleTexts.Simple("daily", "*/16 * * * *"));
        File.SetLastWriteTimeUtc(file, time);
        Assert.Equal(0, (await world.SyncAsync()).ContentsRead);
        Assert.Equal("in_sync", await world.StateAsync("daily"));
        Assert.Equal(2, (await world.SyncAsync(readAll: true)).ContentsRead);
        Assert.Equal("drifted", await world.StateAsync("daily"));
        Assert.Equal(0, (await world.SyncAsync()).ContentsRead);

        File.SetLastWriteTimeUtc(file, time.AddSeconds(1));
        Assert.Equal(1, (await world.SyncAsync()).ContentsRead);
    }

    [Fact]
    public async Task A_directory_that_is_not_there_is_down_and_an_empty_one_is_empty()
    {
        await using var world = await DriftWorld.OfDirectoryAsync(Path.Combine(root, "mounted"));
        await world.ApplyAsync("daily");
        Assert.Equal(("failing", $"the directory {Path.Combine(root, "mounted")} is not there"), await world.SyncAsync() is var down ? (down.State, down.Failure) : default);

        Write("mounted/daily.yaml", SampleTexts.Simple("daily"));
        Assert.Equal("ok", (await world.SyncAsync()).State);
        Assert.Equal("in_sync", await world.StateAsync("daily"));
        Directory.Delete(Path.Combine(root, "mounted"), recursive: true);
        Assert.Equal("failing", (await world.SyncAsync()).State);
        Assert.Equal("unreadable", await world.StateAsync("daily"));
        Directory.CreateDirectory(Path.Combine(root, "mounted"));
        Assert.Equal(("ok", 0), await world.SyncAsync() is var empty ? (empty.State, empty.Artifacts) : default);
        Assert.Equal("missing", await world.StateAsync("daily"));
    }

    [Fact]
    public async Task Patterns_say_what_is_an_artifact_and_links_lead_nowhere()
    {
        await using var world = await DriftWorld.OfDirectoryAsync(root, ("Paths:0", "jobs/**/*.yaml"), ("Paths:1", "!jobs/drafts/**"));
        foreach (var path in new[] { "jobs/a.yaml", "jobs/deep/er/b.yaml", "jobs/drafts/c.yaml", "d.yaml", "jobs/.hidden/e.yaml", "jobs/f.yml" })
            Write(path, SampleTexts.Simple(Path.GetFileNameWithoutExtension(path)));
        File.CreateSymbolicLink(Path.Combine(root, "jobs", "link.yaml"), Path.Combine(root, "d.yaml"));
        Directory.CreateSymbolicLink(Path.Combine(root, "jobs", "folder"), root);

        Assert.Equal(2, (await world.SyncAsync()).Artifacts);
        Assert.Equal(["a orphaned", "b orphaned"], await world.ListAsync());
    }

    [Fact]
    public async Task Other_settings_are_read_anew_and_a_store_that_is_configured_no_more_says_so()
    {
        Write("daily.yaml", SampleTexts.Simple("daily"));
        Write("elsewhere/daily.yaml", SampleTexts.Simple("daily", "0 1 * * *"));
        await using var world = await DriftWorld.OfDirectoryAsync(root, ("Paths:0", "daily.yaml"));
        await world.ApplyAsync("daily");
        await world.SyncAsync();
        Assert.Equal("in_sync", await world.StateAsync("daily"));
        await world.Host.StopAsync();

        // What lies there has the time and size of what was read elsewhere: it is read all the same.
        File.SetLastWriteTimeUtc(Path.Combine(root, "elsewhere", "daily.yaml"), File.GetLastWriteTimeUtc(Path.Combine(root, "daily.yaml")));
        await using (var moved = await ControlHost.StartAsync(world.Database, world.Issuer, DriftWorld.Settings("directory", Path.Combine(root, "elsewhere"))))
        {
            var drift = new DriftService.DriftServiceClient(moved.Channel());
            await UntilAsync(drift, store => store is { State: "ok", Version.Length: > 0 });
            Assert.Equal("drifted", (await drift.GetDriftAsync(new GetDriftRequest { Tenant = "acme", JobId = "daily" }, cancellationToken: Token)).Entry.State);
        }
        await using var without = await ControlHost.StartAsync(world.Database, world.Issuer);
        var left = new DriftService.DriftServiceClient(without.Channel());
        Assert.Equal("unconfigured", (await left.ListStoresAsync(new ListStoresRequest(), cancellationToken: Token)).Stores.Single().State);
        var entry = (await left.GetDriftAsync(new GetDriftRequest { Tenant = "acme", JobId = "daily" }, cancellationToken: Token)).Entry;
        Assert.Equal("unreadable", entry.State);
        Assert.StartsWith("the store is not configured any more", entry.Reason, StringComparison.Ordinal);
        Assert.Equal("STORE_NOT_CONFIGURED", (await Refusals.OfAsync(left.SyncStoreAsync(new SyncStoreRequest { Store = DriftWorld.Store }, cancellationToken: Token))).Info().Reason);
    }

    [Fact]
    public async Task A_job_that_follows_no_store_is_told_so()
    {
        await using var world = await DriftWorld.OfDirectoryAsync(root);
        await world.ApplyAsync("loose");
        await world.SyncAsync();
        Assert.Equal("NO_STORE", (await Refusals.OfAsync(world.Drift.GetDriftAsync(new GetDriftRequest { Tenant = "acme", JobId = "loose" }, cancellationToken: Token))).Info().Reason);
        Assert.Empty(await world.ListAsync("all"));
    }

    private static Task<ArtifactStore> UntilAsync(DriftService.DriftServiceClient drift, Func<ArtifactStore, bool> holds) => Eventually.ComesAsync("the pass over the store", async token =>
        (await drift.ListStoresAsync(new ListStoresRequest(), cancellationToken: token)).Stores.Single() is var now && holds(now) ? now : null);

    private void Write(string path, string content)
    {
        var file = Path.Combine(root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, content);
    }
}
