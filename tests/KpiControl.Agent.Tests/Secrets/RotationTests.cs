using KpiControl.Agent.Connections;
using KpiControl.Agent.Executors;
using KpiControl.Agent.Secrets;
using KpiControl.Agent.Secrets.Stores;
using KpiControl.Testing;
using KpiControl.Testing.Stores;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Npgsql;

namespace KpiControl.Agent.Tests.Secrets;

/// <summary>A secret that changes while jobs run.</summary>
public sealed class RotationTests : IAsyncLifetime
{
    private const string Place = "secret/kpi/token";
    private static readonly SecretReference Token = StoreFolder.Reference($"vault:{Place}#value");
    private readonly StoreFolder folder = new();
    private readonly FakeTimeProvider time = new();
    private readonly List<string> sent = [];
    private VaultServer vault = null!;
    private SecretSources secrets = null!;
    private string accepted = "canary-one";

    public async ValueTask InitializeAsync()
    {
        vault = await VaultServer.StartAsync();
        vault.Write(Place, "value", "canary-one");
        var options = new VaultOptions { Address = vault.Url, Token = "file:" + folder.Write("vault-token", vault.MakeToken()) };
        secrets = folder.Sources(new VaultSecrets(options, folder.InHand, TimeProvider.System), time);
    }

    public async ValueTask DisposeAsync()
    {
        await secrets.DisposeAsync();
        await vault.DisposeAsync();
        folder.Dispose();
    }

    [Fact]
    public async Task The_next_run_after_the_cache_age_uses_the_new_value()
    {
        await using var service = await StoreServer.StartAsync(AnswerAsync);
        await using var executors = Connected(service);
        accepted = ""; // both are accepted: nothing but age tells
        Assert.Equal("success", (await RunAsync(executors)).Status);
        vault.Write(Place, "value", "canary-two");
        time.Advance(TimeSpan.FromMinutes(4));
        Assert.Equal("1", Assert.Single((await RunAsync(executors)).Secrets).Version);
        time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal("2", Assert.Single((await RunAsync(executors)).Secrets).Version);
        Assert.Equal(["Bearer canary-one", "Bearer canary-one", "Bearer canary-two"], sent);
    }

    [Fact]
    public async Task A_service_that_refuses_the_old_token_is_asked_once_more_with_the_new_one()
    {
        await using var service = await StoreServer.StartAsync(AnswerAsync);
        await using var executors = Connected(service);
        Assert.Equal("success", (await RunAsync(executors)).Status);
        vault.Write(Place, "value", accepted = "canary-two");
        var rotated = await RunAsync(executors);
        Assert.Equal("success", rotated.Status);
        Assert.Equal(["1", "2"], rotated.Secrets.Select(use => use.Version));
        Assert.Equal(["Bearer canary-one", "Bearer canary-one", "Bearer canary-two"], sent);
    }

    [Fact]
    public async Task The_same_token_is_not_tried_twice()
    {
        await using var service = await StoreServer.StartAsync(AnswerAsync);
        await using var executors = Connected(service);
        accepted = "another";
        var refused = await RunAsync(executors);
        Assert.Equal(("failed", "UNAUTHENTICATED"), (refused.Status, refused.ErrorCode));
        Assert.Single(sent);
        Assert.Equal(2, vault.Reads);
    }

    [Fact]
    public async Task A_sealed_vault_is_a_failure_that_a_retry_may_mend_and_a_missing_secret_is_none()
    {
        await using var service = await StoreServer.StartAsync(AnswerAsync);
        await using var executors = Connected(service);
        vault.Fails = 503;
        Assert.Equal("INTERNAL", (await RunAsync(executors)).ErrorCode);
        vault.Fails = null;
        vault.Write(Place, "value", null);
        Assert.Equal("UNAUTHENTICATED", (await RunAsync(executors)).ErrorCode);
        Assert.Empty(sent);
    }

    [Fact]
    public async Task A_warehouse_that_refuses_the_old_password_is_opened_with_the_new_one()
    {
        await using var database = await PostgresFixture.CreateEmptyDatabaseAsync();
        await using var admin = await database.OpenAsync();
        var role = $"rotating_{Guid.NewGuid():N}";
        await ExecuteAsync(admin, $"CREATE ROLE {role} LOGIN PASSWORD 'canary-one'");
        try
        {
            var at = new NpgsqlConnectionStringBuilder(database.Superuser);
            await using var executors = new ExecutorRegistry(
                [new Connection { ConnId = "default", Driver = Driver.PostgreSql, Endpoint = $"postgresql://{at.Host}:{at.Port}/{at.Database}", User = role, Credential = Token }], secrets, TimeProvider.System);
            var lease = Executors.Samples.Lease("renewable_share_yearly.yaml", "2017-12-31");
            var before = await executors.For("default")!.ExecuteAsync(lease, default, default);
            Assert.NotEqual("UNAUTHENTICATED", before.ErrorCode); // it is in, and finds no tables
            await ExecuteAsync(admin, $"ALTER ROLE {role} PASSWORD 'canary-two'");
            var refused = await executors.For("default")!.ExecuteAsync(lease, default, default);
            Assert.Equal("UNAUTHENTICATED", refused.ErrorCode);
            vault.Write(Place, "value", "canary-two");
            var after = await executors.For("default")!.ExecuteAsync(lease, default, default);
            Assert.Equal(before.ErrorCode, after.ErrorCode);
            Assert.Equal("2", after.Secrets[^1].Version);
        }
        finally
        {
            await ExecuteAsync(admin, $"DROP ROLE {role}");
        }
    }

    private ExecutorRegistry Connected(StoreServer service) =>
        new([new Connection { ConnId = "http", Driver = Driver.Http, Endpoint = service.Url, Credential = Token }], secrets, TimeProvider.System);

    private static Task<Outcome> RunAsync(ExecutorRegistry executors) =>
        executors.For("http")!.ExecuteAsync(Executors.Samples.Lease("on_time_http.yaml", "2001-03-31"), default, default);

    private async Task AnswerAsync(HttpContext context)
    {
        sent.Add(context.Request.Headers.Authorization.ToString());
        if (accepted.Length > 0 && sent[^1] != $"Bearer {accepted}")
            context.Response.StatusCode = 401;
        else
            await context.Response.WriteAsync("""{"kpi_id":"COO-OT-01","contract_version":"1.0.0","run_id":"r1","data":[{"period":"2001-01-01","value":0.5,"WoW":null}],"applied_extensions":["WoW"]}""");
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
