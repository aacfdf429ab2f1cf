using KpiControl.Agent.Secrets;
using KpiControl.Agent.Secrets.Stores;
using KpiControl.Agent.Tests.Leasing;
using KpiControl.Testing.Stores;
using Microsoft.Extensions.Time.Testing;

namespace KpiControl.Agent.Tests.Secrets;

/// <summary>Against a server that speaks Vault's documented API; no Vault can be had here.</summary>
public sealed class VaultTests : IAsyncLifetime
{
    private static readonly SecretReference Password = StoreFolder.Reference("vault:secret/finance/warehouse#password");
    private readonly StoreFolder folder = new();
    private VaultServer vault = null!;

    public async ValueTask InitializeAsync()
    {
        vault = await VaultServer.StartAsync();
        vault.Write("secret/finance/warehouse", "password", "canary-vault-1");
    }

    public async ValueTask DisposeAsync()
    {
        await vault.DisposeAsync();
        folder.Dispose();
    }

    [Theory, InlineData("token"), InlineData("approle"), InlineData("kubernetes")]
    public async Task Each_login_reads_the_newest_version(string login)
    {
        vault.Namespace = "finance";
        await using var secrets = folder.Sources(Store(login, options => options.Namespace = "finance"));
        var first = await secrets.ResolveAsync(Password, default);
        Assert.Equal(("canary-vault-1", "1"), (first.Value, first.Version));
        secrets.Drop(Password, first.Value!);
        vault.Write("secret/finance/warehouse", "password", "canary-vault-2");
        var second = await secrets.ResolveAsync(Password, default);
        Assert.Equal(("canary-vault-2", "2"), (second.Value, second.Version));
        Assert.Equal(login == "token" ? 0 : 1, vault.Logins);
    }

    [Fact]
    public async Task A_token_is_renewed_at_two_thirds_of_its_life_though_nobody_asks()
    {
        var time = new FakeTimeProvider();
        await using var secrets = folder.Sources(Store("approle", time: time), time);
        Assert.NotNull((await secrets.ResolveAsync(Password, default)).Value);
        time.Advance(TimeSpan.FromSeconds(2399));
        Assert.Equal(0, vault.Renewals);
        foreach (var wait in new[] { 1, 2400, 2400 })
        {
            time.Advance(TimeSpan.FromSeconds(wait));
            await CalledAsync("/v1/auth/token/renew-self");
            // The renewal's answer counts once the session has taken it: this waits behind it.
            secrets.Drop(Password, "canary-vault-1");
            Assert.NotNull((await secrets.ResolveAsync(Password, default)).Value);
        }
        Assert.Equal((3, 1), (vault.Renewals, vault.Logins));
    }

    [Fact]
    public async Task A_token_that_cannot_be_renewed_is_replaced_before_it_ends()
    {
        vault.Renewable = false;
        var time = new FakeTimeProvider();
        await using var secrets = folder.Sources(Store("kubernetes", time: time), time);
        await secrets.ResolveAsync(Password, default);
        time.Advance(TimeSpan.FromSeconds(2400));
        Assert.NotNull((await secrets.ResolveAsync(Password, default)).Value);
        Assert.Equal((0, 2), (vault.Renewals, vault.Logins));
    }

    [Fact]
    public async Task A_revoked_token_costs_one_login_and_no_attempt()
    {
        await using var secrets = folder.Sources(Store("approle"), set: options => options.CacheFor = TimeSpan.Zero);
        await secrets.ResolveAsync(Password, default);
        vault.RevokeAll();
        Assert.Equal("canary-vault-1", (await secrets.ResolveAsync(Password, default)).Value);
        Assert.Equal(2, vault.Logins);
    }

    [Fact]
    public async Task A_token_in_a_file_is_read_again_when_it_is_accepted_no_more()
    {
        await using var secrets = folder.Sources(Store("token"), set: options => options.CacheFor = TimeSpan.Zero);
        await secrets.ResolveAsync(Password, default);
        vault.RevokeAll();
        var refused = await secrets.ResolveAsync(Password, default);
        Assert.Contains("renew what stands there", refused.Problem, StringComparison.Ordinal);
        folder.Write("vault-token", vault.MakeToken() + "\n");
        Assert.NotNull((await secrets.ResolveAsync(Password, default)).Value);
    }

    [Theory]
    [InlineData("vault:secret/finance/nothing#password", null, false, "does not exist in Vault (404)")]
    [InlineData("vault:secret/finance/gone#password", null, false, "newest version is deleted")]
    [InlineData("vault:secret/forbidden/x#password", null, false, "may not read it (403)")]
    [InlineData("vault:secret/finance/warehouse#other", null, false, "no text in field other")]
    [InlineData("vault:secret/finance/warehouse#password", 503, true, "sealed")]
    [InlineData("vault:secret/finance/warehouse#password", 429, true, "429")]
    [InlineData("vault:secret/finance/warehouse#password", 473, true, "standby")]
    [InlineData("vault:secret/finance/warehouse#password", 500, true, "look at its log")]
    [InlineData("vault:secret/finance/warehouse#password", 307, false, "redirect")]
    public async Task What_goes_wrong_is_told_by_reference_with_what_to_do(string text, int? fails, bool mayPass, string said)
    {
        vault.TokenMark = "canary-token";
        vault.Write("secret/finance/gone", "password", "canary");
        vault.Write("secret/finance/gone", "password", null);
        await using var secrets = folder.Sources(Store("token"));
        vault.Fails = fails;
        var missing = await secrets.ResolveAsync(StoreFolder.Reference(text), default);
        Assert.Null(missing.Value);
        Assert.Contains(said, missing.Problem, StringComparison.Ordinal);
        Assert.StartsWith(text, missing.Problem);
        Assert.Contains(": ", missing.Problem, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", missing.Problem, StringComparison.Ordinal);
        Assert.Equal(mayPass, missing.MayPass);
    }

    [Theory, InlineData("approle"), InlineData("kubernetes")]
    public async Task A_refused_login_names_what_to_renew_and_not_its_content(string login)
    {
        var store = Store(login);
        (vault.SecretId, vault.Jwt) = ("another", "another");
        await using var secrets = folder.Sources(store);
        var missing = await secrets.ResolveAsync(Password, default);
        Assert.Contains($"refuses the {login} login with file:", missing.Problem, StringComparison.Ordinal);
        Assert.DoesNotContain(await File.ReadAllTextAsync(folder.Write("probe", "x")), missing.Problem.Split("file:")[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_silent_vault_is_given_up_and_one_that_is_not_there_is_named()
    {
        vault.Hold = token => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, token);
        await using var silent = folder.Sources(Store("token"), set: options => options.Timeout = TimeSpan.FromMilliseconds(300));
        var late = await silent.ResolveAsync(Password, default);
        Assert.Contains("did not answer within 0.3 s", late.Problem, StringComparison.Ordinal);
        Assert.True(late.MayPass);
        await using var nowhere = folder.Sources(Store("token", options => options.Address = "http://127.0.0.1:1"));
        Assert.Contains("cannot be reached", (await nowhere.ResolveAsync(Password, default)).Problem, StringComparison.Ordinal);
        await using var metadata = folder.Sources(Store("token", options => options.Address = "https://169.254.169.254"));
        Assert.Contains("metadata address", (await metadata.ResolveAsync(Password, default)).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Those_who_ask_at_once_share_one_answer_and_one_who_leaves_takes_it_from_nobody()
    {
        var held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var secrets = folder.Sources(Store("approle"));
        vault.Hold = held.Task.WaitAsync;
        using var leaving = new CancellationTokenSource();
        var first = secrets.ResolveAsync(Password, leaving.Token);
        var others = Enumerable.Range(0, 20).Select(_ => secrets.ResolveAsync(Password, default)).ToList();
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        held.SetResult();
        Assert.All(await Task.WhenAll(others), found => Assert.Equal("canary-vault-1", found.Value));
        Assert.Equal((1, 1), (vault.Reads, vault.Logins));
    }

    [Fact]
    public async Task The_cache_forgets_by_age_and_by_number_and_redacts_what_it_keeps()
    {
        var time = new FakeTimeProvider();
        var cache = new SecretCache(Microsoft.Extensions.Options.Options.Create(new SecretsOptions { CacheEntries = 2 }), folder.InHand, time);
        await using var store = Store("token", time: time);
        for (var i = 0; i < 4; i++)
        {
            vault.Write($"secret/many/{i}", "password", $"canary-{i}-value");
            Assert.NotNull((await cache.GetAsync(store, StoreFolder.Reference($"vault:secret/many/{i}#password"), default)).Value);
            time.Advance(TimeSpan.FromSeconds(1));
        }
        Assert.Equal(2, cache.Count);
        Assert.Equal("canary-1-value ***", folder.InHand.Redact("canary-1-value canary-3-value"));
        time.Advance(TimeSpan.FromMinutes(10));
        Assert.Equal(0, cache.Count);
        Assert.Equal("canary-3-value", folder.InHand.Redact("canary-3-value"));
        cache.Dispose();
    }

    private VaultSecrets Store(string login, Action<VaultOptions>? set = null, TimeProvider? time = null)
    {
        var options = new VaultOptions
        {
            Address = vault.Url, Login = login, RoleId = vault.RoleId, Role = "kpi",
            Token = "file:" + folder.Write("vault-token", vault.MakeToken()), SecretId = "file:" + folder.Write("secret-id", vault.SecretId), JwtFile = folder.Write("jwt", vault.Jwt),
        };
        set?.Invoke(options);
        return new VaultSecrets(options, folder.InHand, time ?? TimeProvider.System);
    }

    private async Task CalledAsync(string path)
    {
        while (await vault.Calls.ReadAsync(Patience.Token()) != path)
        {
        }
    }
}
