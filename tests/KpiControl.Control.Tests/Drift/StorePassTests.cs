using System.ComponentModel.DataAnnotations;
using KpiControl.Control.Database;
using KpiControl.Control.Drift;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Tests.Drift;

/// <summary>Passes of several nodes over one store, and settings that no node starts with.</summary>
public sealed class StorePassTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task One_node_is_at_a_store_and_one_that_was_overtaken_writes_nothing()
    {
        await using var world = await DriftWorld.OfDirectoryAsync("/nowhere/at/all");
        await world.SyncAsync();
        await world.Host.StopAsync();
        await using var databases = new Databases(Options.Create(new DatabaseOptions { Requests = world.Database.Requests, Scheduler = world.Database.Scheduler }));
        var states = new SyncStateStore(databases);
        Task<IReadOnlyList<ClaimedStore>> ClaimAsync() => states.ClaimAsync([DriftWorld.Store, "unknown"], Minute, Token);

        await world.ScalarAsync<int>("UPDATE kpi_store SET next_pass_at = now() - interval '1 second'");
        var claims = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => ClaimAsync()));
        var first = Assert.Single(claims.SelectMany(claimed => claimed));
        Assert.Empty(await ClaimAsync());

        // The node stalls; another one comes to be at the store.
        await world.ScalarAsync<int>("UPDATE kpi_store SET claimed_until = now() - interval '1 second'");
        var second = Assert.Single(await ClaimAsync());
        Assert.True(second.Fence > first.Fence);
        ReadArtifact[] read = [ReadArtifact.Of(new("a.yaml", "1"), null, System.Text.Encoding.UTF8.GetBytes(SampleTexts.Simple("a")), "acme")];
        Assert.False(await states.PutAsync(first, read, Minute, Token));
        Assert.False(await states.EndAsync(first, new PassResult("v1", false, 1, []), Minute, Token));
        await states.FailAsync(first, "late", Minute, Token);
        Assert.Equal("0 ", await world.ScalarAsync<string>("SELECT concat((SELECT count(*) FROM kpi_store_artifact), ' ', version) FROM kpi_store"));
        Assert.NotEqual("late", await world.ScalarAsync<string>("SELECT failure FROM kpi_store"));

        Assert.True(await states.PutAsync(second, read, Minute, Token));
        Assert.True(await states.EndAsync(second, new PassResult("v2", false, 1, []), Minute, Token));
        Assert.Equal("1 v2", await world.ScalarAsync<string>("SELECT concat(artifacts, ' ', version) FROM kpi_store"));
    }

    [Fact]
    public async Task What_is_asked_while_a_pass_is_claimed_is_done_by_the_next_one_and_audited()
    {
        await using var world = await DriftWorld.OfDirectoryAsync("/nowhere/at/all");
        await world.SyncAsync();
        await world.Host.StopAsync();
        await using var databases = new Databases(Options.Create(new DatabaseOptions { Requests = world.Database.Requests, Scheduler = world.Database.Scheduler }));
        var states = new SyncStateStore(databases);
        await world.ScalarAsync<int>("UPDATE kpi_store SET next_pass_at = now() - interval '1 second'");

        // The transaction begins, and with it its now(), before the claim; what it asks comes after.
        await using (var tx = await RequestTransaction.BeginAsync(databases, new Caller("asker", [new Grant("acme", "*", "publisher")]), Token))
        {
            var pass = Assert.Single(await states.ClaimAsync([DriftWorld.Store], Minute, Token));
            Assert.False(pass.ReadsAll);
            await StoreSyncs.AskAsync(tx, new SyncStoreRequest { Store = DriftWorld.Store, ReadAll = true });
            await tx.CommitAsync();
            Assert.True(await states.EndAsync(pass, new PassResult("v1", false, 0, []), Minute, Token));
        }

        Assert.True(Assert.Single(await states.ClaimAsync([DriftWorld.Store], Minute, Token)).ReadsAll);
        Assert.Equal("asker Update true", await world.ScalarAsync<string>("SELECT concat_ws(' ', actor, verb, after ->> 'read_all') FROM kpi_audit WHERE object_kind = 'store' ORDER BY audit_id DESC LIMIT 1"));
    }

    [Theory]
    [InlineData(":Tenant 'Acme' is not a tenant's name", "Tenant", "Acme")]
    [InlineData(":Environment 'production' is none of dev, stg and prod", "Environment", "production")]
    [InlineData(":Kind 's4' is none of git, directory, s3, azure-blob", "Kind", "s4")]
    [InlineData(":Location 'jobs' is neither https://…, ssh://… nor an absolute path", "Location", "jobs")]
    [InlineData(":Location 'http://git.example/x' is not encrypted", "Location", "http://git.example/x")]
    [InlineData(":Location holds a credential", "Location", "https://ann:geheim@git.example/x")]
    [InlineData(":Location 'ftp://git.example/x' is neither", "Location", "ftp://git.example/x")]
    [InlineData(":Branch 'a b' is not a branch's name", "Branch", "a b")]
    [InlineData(":Paths '../x' is not a pattern within the store", "Paths:0", "../x")]
    [InlineData(":Paths says only what is no artifact", "Paths:0", "!x")]
    [InlineData(":Password is not a reference", "Location", "https://git.example/x", "Password", "geheim")]
    [InlineData(":SshKeyFile '' is not an absolute path", "Location", "ssh://git@git.example/x")]
    [InlineData(":KnownHostsFile '/nowhere' does not exist", "Location", "ssh://git@git.example/x", "KnownHostsFile", "/nowhere")]
    [InlineData(":Location '/srv/jobs.git' is not a bucket's name", "Kind", "s3", "Region", "eu-central-1")]
    [InlineData(":Location 'jobs/../x' is not a container's name", "Kind", "azure-blob", "Location", "jobs/../x", "Endpoint", "https://acme.example")]
    [InlineData(":Region is missing", "Kind", "s3", "Location", "jobs")]
    [InlineData(":Endpoint is missing: the account's URL", "Kind", "azure-blob", "Location", "jobs")]
    [InlineData(":Endpoint holds a credential", "Kind", "azure-blob", "Location", "jobs", "Endpoint", "https://acme.example/?sig=geheim")]
    [InlineData(":Endpoint 'http://s3.example' is not encrypted", "Kind", "s3", "Location", "jobs", "Endpoint", "http://s3.example")]
    [InlineData(":User is missing", "Kind", "s3", "Location", "jobs", "Region", "eu-central-1", "Password", "env:PATH")]
    public void Settings_that_cannot_work_are_refused_at_start_in_words(string told, params string[] settings) => Refused(told, settings);

    internal static void Refused(string told, params string[] settings)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(
            DriftWorld.Settings("git", "/srv/jobs.git", [.. settings.Chunk(2).Select(pair => (pair[0], pair[1]))]).Select(one => KeyValuePair.Create(one.Key, (string?)one.Value))).Build();
        var options = configuration.GetSection(DriftOptions.Section).Get<DriftOptions>()!;
        var mistakes = options.Validate(new ValidationContext(options)).Select(mistake => mistake.ErrorMessage!).ToList();
        Assert.Contains(mistakes, mistake => mistake.StartsWith($"Drift:Stores:acme-store{told}", StringComparison.Ordinal));
        Assert.DoesNotContain(mistakes, mistake => mistake.Contains("geheim", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_node_does_not_start_with_a_store_that_cannot_be()
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync(Token);
        var issuer = await TestIssuer.SharedAsync();
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => ControlHost.StartAsync(database, issuer, DriftWorld.Settings("s4", "/srv")));
        Assert.Contains("Drift:Stores:acme-store:Kind 's4' is none of git, directory, s3, azure-blob", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_of_a_tenant_that_does_not_exist_is_refused_at_start()
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync(Token);
        var issuer = await TestIssuer.SharedAsync();
        var refused = await Assert.ThrowsAsync<StartupException>(() => ControlHost.StartAsync(database, issuer, DriftWorld.Settings("directory", "/srv", ("Tenant", "nobody"))));
        Assert.Contains("names a tenant that does not exist", refused.Message, StringComparison.Ordinal);
    }
}
