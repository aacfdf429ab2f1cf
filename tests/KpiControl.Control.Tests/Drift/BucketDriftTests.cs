using KpiControl.Testing;

namespace KpiControl.Control.Tests.Drift;

/// <summary>What holds of a bucket, whoever keeps it.</summary>
public abstract class BucketDriftTests(BucketServer server) : IDisposable
{
    private readonly string bucket = $"jobs-{Guid.NewGuid():n}";
    private readonly string passwordFile = Path.GetTempFileName();

    public void Dispose()
    {
        File.Delete(passwordFile);
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Objects_are_read_where_they_changed_and_compared_with_what_is_bound()
    {
        await using var world = await WorldAsync();
        await world.ApplyAsync("daily");
        await world.ApplyAsync("weekly");
        await PutAsync("eu/daily.yaml", SampleTexts.Simple("daily"));
        await PutAsync("weekly.yml", SampleTexts.Simple("weekly"));
        await PutAsync("cut.yaml", SampleTexts.Simple("cut")[..40]);
        await PutAsync("notes.txt", "none");
        await PutAsync(".drafts/one.yaml", "none");
        await server.PutAsync(bucket, "other/daily.yaml", SampleTexts.Simple("daily", "0 1 * * *"));

        Assert.Equal(("ok", 3, 3), await world.SyncAsync() is var first ? (first.State, first.Artifacts, first.ContentsRead) : default);
        Assert.Equal(["cut invalid"], await world.ListAsync());
        Assert.Equal((3, 0), await world.SyncAsync() is var same ? (same.Artifacts, same.ContentsRead) : default);

        await PutAsync("eu/daily.yaml", SampleTexts.Simple("daily", "0 5 * * *"));
        await server.DeleteAsync(bucket, "prod/weekly.yml");
        Assert.Equal((2, 1), await world.SyncAsync() is var moved ? (moved.Artifacts, moved.ContentsRead) : default);
        Assert.Equal(["cut invalid", "daily drifted", "weekly missing"], (await world.ListAsync()).Order(StringComparer.Ordinal));
        Assert.Equal("eu/daily.yaml", (await world.OfAsync("daily")).Entry.Path);
    }

    [Fact]
    public async Task What_is_bound_is_written_back_unless_somebody_wrote_there_meanwhile()
    {
        await using var world = await WorldAsync();
        var bindingId = await world.ApplyAsync("daily");
        await PutAsync("daily.yaml", SampleTexts.Simple("daily"));
        await world.SyncAsync();
        await PutAsync("daily.yaml", SampleTexts.Simple("daily", "0 5 * * *"));
        await world.SyncAsync();
        await world.ReconcileAsync("daily", "roll_back");
        await world.SyncAsync();
        Assert.Equal(("in_sync", "stored"), await world.OfAsync("daily") is var back ? (back.Entry.State, back.Write.StoreState) : default);
        Assert.Equal(SampleTexts.Simple("daily"), await server.GetAsync(bucket, "prod/daily.yaml"));

        // Nobody has looked since: what the act saw is not what stands there.
        await PutAsync("daily.yaml", SampleTexts.Simple("daily", "0 6 * * *"));
        await world.RebindAsync(bindingId, "daily", "0 9 * * *");
        await world.ReconcileAsync("daily", "roll_back");
        await world.SyncAsync();
        Assert.Equal(("drifted", "refused"), await world.OfAsync("daily") is var refused ? (refused.Entry.State, refused.Write.StoreState) : default);
        Assert.Equal(SampleTexts.Simple("daily", "0 6 * * *"), await server.GetAsync(bucket, "prod/daily.yaml"));
    }

    [Fact]
    public async Task A_wrong_key_and_a_bucket_that_is_not_there_are_said_and_pass_without_a_restart()
    {
        await WriteSecretAsync(Convert.ToBase64String(new byte[33]));
        await using var world = await DriftWorld.StartAsync(server.Kind, $"{bucket}/prod", [.. server.Settings, ("Password", $"file:{passwordFile}")]);
        await world.ApplyAsync("daily");
        var refused = await world.SyncAsync();
        Assert.Equal("failing", refused.State);
        Assert.StartsWith($"{bucket}/prod {server.RefusesKeys}", refused.Failure, StringComparison.Ordinal);
        Assert.DoesNotContain(Convert.ToBase64String(new byte[33]), refused.Failure, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Failure);

        await WriteSecretAsync(server.Secret);
        Assert.StartsWith($"{bucket}/prod {server.LacksBucket}", (await world.SyncAsync()).Failure, StringComparison.Ordinal);

        await server.CreateAsync(bucket);
        await PutAsync("daily.yaml", SampleTexts.Simple("daily"));
        Assert.Equal("ok", (await world.SyncAsync()).State);
        Assert.Equal("in_sync", await world.StateAsync("daily"));
    }

    protected string Bucket => bucket;

    protected async Task<DriftWorld> WorldAsync(string? secret = null)
    {
        await server.CreateAsync(bucket);
        await WriteSecretAsync(secret ?? server.Secret);
        return await DriftWorld.StartAsync(server.Kind, $"{bucket}/prod", [.. server.Settings, ("Password", $"file:{passwordFile}")]);
    }

    protected Task PutAsync(string name, string text) => server.PutAsync(bucket, $"prod/{name}", text);

    private Task WriteSecretAsync(string secret) => File.WriteAllTextAsync(passwordFile, secret + "\n", TestContext.Current.CancellationToken);
}

public sealed class S3DriftTests(SwiftServer server) : BucketDriftTests(server), IClassFixture<SwiftServer>;

public sealed class AzureBlobDriftTests(AzuriteServer server) : BucketDriftTests(server), IClassFixture<AzuriteServer>
{
    [Fact]
    public async Task A_signature_that_may_only_read_is_enough_to_compare_and_too_little_to_write()
    {
        await using var world = await WorldAsync(server.ReadOnlySignature(Bucket));
        await world.ApplyAsync("daily");
        await PutAsync("daily.yaml", SampleTexts.Simple("daily"));
        await world.SyncAsync();
        await PutAsync("daily.yaml", SampleTexts.Simple("daily", "0 5 * * *"));
        await world.SyncAsync();
        await world.ReconcileAsync("daily", "roll_back");
        Assert.Equal("ok", (await world.SyncAsync()).State);
        var drift = await world.OfAsync("daily");
        Assert.Equal("pending_write", drift.Entry.State);
        Assert.StartsWith($"daily.yaml cannot be written: {Bucket}/prod is refused (AuthorizationPermissionMismatch)", drift.Write.Problem, StringComparison.Ordinal);
    }
}
