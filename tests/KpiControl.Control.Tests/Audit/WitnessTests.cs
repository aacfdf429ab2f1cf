using Dapper;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Audit;

/// <summary>What agents remember of a chain, held against a chain that was taken back.</summary>
public sealed class WitnessTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_chain_that_was_rolled_back_is_contradicted_by_an_agent_that_saw_it_once_and_by_nobody_else()
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync(Token);
        await using var issuer = await TestIssuer.StartAsync(Token);
        using var keyFile = new AuditKeyFile();
        await using var host = await ControlHost.StartAsync(database, issuer, ("Audit:SigningKeyFile", keyFile.Path), ("Audit:LinkEvery", "00:00:00.02"), ("Audit:CheckpointEvery", "00:00:01"));
        var witness = new WitnessService.WitnessServiceClient(host.Channel(issuer.AgentToken("agent-eu", "eu", "acme")));
        await host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var seen = await Eventually.ComesAsync("a signed checkpoint", async token => (await witness.ExchangeAsync(new ExchangeRequest(), cancellationToken: token)).Latest.SingleOrDefault());
        Assert.Equal("acme", seen.Tenant);
        Assert.Empty((await witness.ExchangeAsync(new ExchangeRequest { Remembered = { seen } }, cancellationToken: Token)).Broken);

        // The last links are gone, as after a restore of an older backup; what is written then takes their place.
        var before = await ScalarAsync<long>("SELECT count(*) FROM kpi_audit");
        await ScalarAsync<int>($$"""
            ALTER TABLE kpi_chain_link DISABLE TRIGGER append_only; ALTER TABLE kpi_chain_checkpoint DISABLE TRIGGER append_only;
            DELETE FROM kpi_chain_checkpoint WHERE tenant_id = 'acme' AND seq >= {{seen.Seq}};
            UPDATE kpi_chain_link SET hash = sha256(hash) WHERE tenant_id = 'acme' AND seq = {{seen.Seq}};
            ALTER TABLE kpi_chain_link ENABLE TRIGGER append_only; ALTER TABLE kpi_chain_checkpoint ENABLE TRIGGER append_only
            """);
        for (var again = 0; again < 2; again++)
            Assert.Equal(["acme"], (await witness.ExchangeAsync(new ExchangeRequest { Remembered = { seen } }, cancellationToken: Token)).Broken);
        Assert.Contains(host.Logs.Lines, line => line.Contains($"The audit chain of acme was rolled back or written anew: agent agent-eu remembers link {seen.Seq}", StringComparison.Ordinal));
        Assert.Equal(before + 1, await ScalarAsync<long>("SELECT count(*) FROM kpi_audit"));
        Assert.Equal("agent agent-eu", await ScalarAsync<string>("SELECT actor FROM kpi_audit WHERE verb = 'Witness' AND object_kind = 'chain'"));

        // What nobody signed accuses nobody, and of other tenants nothing is said.
        var madeUp = seen.Clone();
        madeUp.Hash = new string('0', 64);
        var stranger = new WitnessService.WitnessServiceClient(host.Channel(issuer.AgentToken("agent-us", "us", "globex")));
        Assert.Empty((await witness.ExchangeAsync(new ExchangeRequest { Remembered = { madeUp } }, cancellationToken: Token)).Broken);
        var elsewhere = await stranger.ExchangeAsync(new ExchangeRequest { Remembered = { seen } }, cancellationToken: Token);
        Assert.Empty(elsewhere.Broken);
        Assert.DoesNotContain(elsewhere.Latest, one => one.Tenant == "acme");

        async Task<T?> ScalarAsync<T>(string sql)
        {
            await using var connection = await database.OpenAsync(Token);
            return await connection.ExecuteScalarAsync<T>(sql);
        }
    }
}
