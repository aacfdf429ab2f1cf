using KpiControl.Testing;

namespace KpiControl.Control.Tests.Drift;

/// <summary>Git over https and over ssh, on loopback, as a host would serve it.</summary>
public sealed class RemoteGitTests : IDisposable
{
    private readonly GitRepository repository = new();
    private readonly string password = Path.GetTempFileName();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public RemoteGitTests() => File.WriteAllText(password, "geheim-0815\n");

    public void Dispose()
    {
        repository.Dispose();
        File.Delete(password);
    }

    [Fact]
    public async Task Https_asks_for_the_password_follows_no_redirect_and_trusts_the_authority_that_is_named()
    {
        using var authority = new TestAuthority();
        await using var server = await GitHttpServer.StartAsync(repository.Root, "geheim-0815", authority);
        var url = $"{server.Url}/kpi-jobs.git";
        var commit = repository.Commit(("daily.yaml", SampleTexts.Simple("daily")));
        await using var world = await DriftWorld.OfGitAsync(url, ("User", GitHttpServer.User), ("Password", $"file:{password}"), ("CaFile", authority.CertificateFile));
        await world.ApplyAsync("daily");

        var first = await world.SyncAsync();
            Assert.True(first.Failure.Length == 0, first.Failure);
            Assert.Equal(("ok", commit), (first.State, first.Version));
        Assert.Equal("in_sync", await world.StateAsync("daily"));

        // Rotated here and not there, and the other way round: the file is read at each use.
        await File.WriteAllTextAsync(password, "another", Token);
        var refused = await world.SyncAsync();
        Assert.Equal(("failing", $"{url} refuses the store's User and Password"), (refused.State, refused.Failure));
        await File.WriteAllTextAsync(password, "geheim-0815", Token);
        Assert.Equal("ok", (await world.SyncAsync()).State);

        var other = new Uri(server.Url);
        server.RedirectsTo = $"https://127.0.0.1:{other.Port}/elsewhere";
        refused = await world.SyncAsync();
        Assert.Equal("failing", refused.State);
        Assert.Contains("redirect", refused.Failure, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(world.Host.Logs.Lines, line => line.Contains("geheim", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Https_of_an_authority_that_nobody_named_and_a_server_that_is_away_are_down()
    {
        using var authority = new TestAuthority();
        string url;
        await using (var server = await GitHttpServer.StartAsync(repository.Root, "x", authority))
        {
            url = $"{server.Url}/kpi-jobs.git";
            await using var distrusting = await DriftWorld.OfGitAsync(url);
            var refused = await distrusting.SyncAsync();
            Assert.Equal("failing", refused.State);
            Assert.Contains("certificate", refused.Failure, StringComparison.OrdinalIgnoreCase);
        }
        await using var world = await DriftWorld.OfGitAsync(url);
        Assert.Equal($"{url} cannot be reached: Connection refused", (await world.SyncAsync()).Failure);
    }

    [Fact]
    public async Task Ssh_comes_with_the_stores_key_and_accepts_the_hosts_key_alone()
    {
        await using var server = await SshServer.StartAsync(Token);
        var url = $"ssh://{Environment.UserName}@127.0.0.1:{server.Port}{repository.Bare}";
        var commit = repository.Commit(("daily.yaml", SampleTexts.Simple("daily")));
        await using (var world = await DriftWorld.OfGitAsync(url, ("SshKeyFile", server.Key), ("KnownHostsFile", server.KnownHosts)))
        {
            await world.ApplyAsync("daily");
            var first = await world.SyncAsync();
            Assert.True(first.Failure.Length == 0, first.Failure);
            Assert.Equal(("ok", commit), (first.State, first.Version));
            Assert.Equal("in_sync", await world.StateAsync("daily"));
            Assert.Equal(0, (await world.SyncAsync()).ContentsRead);
            await world.RebindAsync((await world.OfAsync("daily")).Entry.BindingId, "daily", "0 9 * * *");
            await world.ReconcileAsync("daily", "roll_back");
            await world.SyncAsync();
            Assert.Equal(("in_sync", ""), await world.OfAsync("daily") is var drift ? (drift.Entry.State, drift.Write.Problem) : default);
            Assert.Contains("0 9 * * *", repository.Show("daily.yaml"), StringComparison.Ordinal);
        }
        await using (var stranger = await DriftWorld.OfGitAsync(url, ("SshKeyFile", server.StrangersKey), ("KnownHostsFile", server.KnownHosts)))
            Assert.Contains("Permission denied (publickey)", (await stranger.SyncAsync()).Failure, StringComparison.Ordinal);
        await using var deceived = await DriftWorld.OfGitAsync(url, ("SshKeyFile", server.Key), ("KnownHostsFile", server.OtherHosts));
        Assert.Contains("Host key verification failed.", (await deceived.SyncAsync()).Failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_address_that_is_never_called_is_refused_before_anything_is_sent()
    {
        await using var world = await DriftWorld.OfGitAsync("https://169.254.169.254/latest/jobs.git");
        Assert.Contains("a link-local or metadata address, which is never called", (await world.SyncAsync()).Failure, StringComparison.Ordinal);
    }
}
