using Dapper;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Audit;

/// <summary>A head that somebody set back: nothing is forked, the node serves on, and both the log and the verification say it.</summary>
public sealed class TamperedHeadTests
{
    [Fact]
    public async Task A_head_that_was_set_back_stops_the_chain_and_not_the_node()
    {
        var token = TestContext.Current.CancellationToken;
        await using var database = await PostgresFixture.CreateDatabaseAsync(token);
        var issuer = await TestIssuer.SharedAsync();
        await using var host = await ControlHost.StartAsync(database, issuer, ("Audit:LinkEvery", "00:00:00.02"));
        await using var connection = await database.OpenAsync(token);
        var id = (await host.CreateSimpleAsync(token, "one")).BindingId;
        await UntilAsync("SELECT count(*) > 0 FROM kpi_chain_link");

        await connection.ExecuteAsync("UPDATE kpi_chain_head SET seq = 0, hash = decode(repeat('00', 32), 'hex')");
        await host.Jobs().PauseJobAsync(new PauseJobRequest { BindingId = id }, cancellationToken: token);
        while (!host.Logs.Lines.Any(line => line.Contains("A chain cannot be continued", StringComparison.Ordinal)))
            await UntilAsync("SELECT true");

        await host.Jobs().ResumeJobAsync(new ResumeJobRequest { BindingId = id }, cancellationToken: token);
        Assert.True(await connection.ExecuteScalarAsync<long>("SELECT count(*) FROM kpi_chain_pending") >= 2);

        // Put right, it goes on where it was, and nothing is missing.
        await connection.ExecuteAsync("UPDATE kpi_chain_head h SET seq = l.seq, hash = l.hash FROM (SELECT * FROM kpi_chain_link ORDER BY seq DESC LIMIT 1) l WHERE h.tenant_id = l.tenant_id");
        await UntilAsync("SELECT count(*) = 0 FROM kpi_chain_pending");
        var auditor = new Protocol.V1.AuditService.AuditServiceClient(host.Channel(issuer.PersonToken("ann", "acme/*/auditor")));
        Assert.Empty((await auditor.VerifyAuditAsync(new VerifyAuditRequest(), cancellationToken: token)).Findings);

        async Task UntilAsync(string question)
        {
            while (!await connection.ExecuteScalarAsync<bool>(question))
                token.ThrowIfCancellationRequested();
        }
    }
}
