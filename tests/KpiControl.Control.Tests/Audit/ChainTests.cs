using Dapper;
using Grpc.Core;
using KpiControl.Protocol.V1;
using Npgsql;

namespace KpiControl.Control.Tests.Audit;

/// <summary>What is altered in the database is found by the system itself.</summary>
public sealed class ChainTests(AuditFixture fixture) : IClassFixture<AuditFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_act_and_run_is_in_the_chain_once_and_the_chain_is_whole()
    {
        var verified = await VerifyAsync();
        Assert.Empty(verified.Findings);
        await using var connection = await fixture.Database.OpenAsync(Token);
        Assert.Equal(verified.Rows, await connection.ExecuteScalarAsync<long>("SELECT (SELECT count(*) FROM kpi_audit) + (SELECT count(*) FROM kpi_job_history) + (SELECT count(*) FROM kpi_evidence)"));
        Assert.Equal(verified.Links, verified.SignedThrough);
        Assert.True(verified.Rows >= 15, $"{verified.Rows} rows");
        Assert.Equal(0, await connection.ExecuteScalarAsync<long>("SELECT count(*) FROM (SELECT kind, id FROM kpi_chained GROUP BY 1, 2 HAVING count(*) > 1) twice"));
    }

    [Theory]
    [InlineData("UPDATE kpi_audit SET actor = 'nobody' WHERE audit_id = 3", "UPDATE kpi_audit SET actor = 'admin@acme.example' WHERE audit_id = 3", "audit 3", "changed")]
    [InlineData("UPDATE kpi_audit SET after = after || '{\"x\": 1}' WHERE audit_id = 1", "UPDATE kpi_audit SET after = after - 'x' WHERE audit_id = 1", "audit 1", "changed")]
    [InlineData("UPDATE kpi_job_history SET status = 'success' WHERE status = 'cancelled'", "UPDATE kpi_job_history SET status = 'cancelled' WHERE status = 'success'", "history", "changed")]
    [InlineData("CREATE TEMP TABLE kept AS SELECT * FROM kpi_audit WHERE audit_id = 4; DELETE FROM kpi_audit WHERE audit_id = 4", "INSERT INTO kpi_audit SELECT * FROM kept", "taken out", "link")]
    [InlineData("UPDATE kpi_audit SET recorded_at = recorded_at - interval '1 second' WHERE audit_id = 2", "UPDATE kpi_audit SET recorded_at = recorded_at + interval '1 second' WHERE audit_id = 2", "taken out", "link")]
    [InlineData("INSERT INTO kpi_audit (audit_id, recorded_at, tenant_id, actor, verb, object_kind, object_id) VALUES (999999, now() - interval '4 minutes', 'acme', 'x', 'Run', 'binding', '1')", "DELETE FROM kpi_audit WHERE audit_id = 999999", "audit 999999", "no link")]
    [InlineData("UPDATE kpi_chain_link SET row_ids = array_reverse(row_ids) WHERE seq = 2", "UPDATE kpi_chain_link SET row_ids = array_reverse(row_ids) WHERE seq = 2", "link 2", "")]
    [InlineData("CREATE TEMP TABLE kept AS SELECT * FROM kpi_chain_link WHERE seq = 2; DELETE FROM kpi_chain_link WHERE seq = 2", "INSERT INTO kpi_chain_link SELECT * FROM kept", "links 2 to 2 are missing", "")]
    public async Task What_was_altered_is_found(string alter, string undo, string finding, string what)
    {
        await using (var connection = await fixture.Database.OpenAsync(Token))
            await connection.ExecuteAsync("""
                CREATE OR REPLACE FUNCTION array_reverse(bigint[]) RETURNS bigint[] LANGUAGE sql AS 'SELECT array_agg(v ORDER BY o DESC) FROM unnest($1) WITH ORDINALITY AS t(v, o)'
                """);
        await fixture.TamperAsync(alter, undo, async () =>
        {
            var found = (await VerifyAsync()).Findings;
            Assert.Contains(found, f => f.Contains(finding, StringComparison.Ordinal) && f.Contains(what, StringComparison.Ordinal));
        });
        Assert.Empty((await VerifyAsync()).Findings);
    }

    [Fact]
    public async Task Nobody_of_the_product_can_change_what_is_linked()
    {
        foreach (var login in new[] { fixture.Database.Requests, fixture.Database.Scheduler })
        foreach (var statement in new[] { "UPDATE kpi_chain_link SET seq = seq", "DELETE FROM kpi_chain_link", "DELETE FROM kpi_chain_checkpoint", "TRUNCATE kpi_chain_link CASCADE", "DELETE FROM kpi_chain_head", "UPDATE kpi_audit SET actor = ''" })
        {
            await using var connection = new NpgsqlConnection(login);
            var refused = await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(statement));
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
        }
    }

    [Fact]
    public async Task Sequencers_that_race_make_one_chain()
    {
        await Parallel.ForAsync(0, 8, Token, async (i, _) => await fixture.ActAsync($"raced_{i}"));
        await Parallel.ForAsync(0, 8, Token, async (_, token) =>
        {
            while ((await fixture.Store.LinkAsync(token)).Rows > 0)
            {
            }
        });
        await fixture.LinkAsync();
        var verified = await VerifyAsync();
        Assert.Empty(verified.Findings);
        Assert.Equal(0, verified.Waiting);
    }

    [Fact]
    public async Task A_sequencer_that_dies_half_way_leaves_nothing_half_done()
    {
        await fixture.ActAsync("half");
        // The statement that moves the head fails: the transaction dies with entries taken and a link written.
        await using var connection = new NpgsqlConnection(fixture.Database.Superuser);
        await connection.OpenAsync(Token);
        await connection.ExecuteAsync("ALTER TABLE kpi_chain_head ADD CONSTRAINT die CHECK (seq < 0) NOT VALID");
        await Assert.ThrowsAsync<PostgresException>(() => fixture.Store.LinkAsync(Token));
        await connection.ExecuteAsync("ALTER TABLE kpi_chain_head DROP CONSTRAINT die");
        Assert.Empty((await VerifyAsync()).Findings);
        Assert.True(await fixture.LinkAsync() >= 6);
        Assert.Empty((await VerifyAsync()).Findings);
    }

    [Fact]
    public async Task The_trail_is_listed_newest_first_by_pages_and_filters()
    {
        var client = fixture.Client();
        var all = await client.ListAuditAsync(new ListAuditRequest { PageSize = 1000 }, cancellationToken: Token);
        Assert.Equal(all.Entries.OrderByDescending(e => e.RecordedAt).ThenByDescending(e => e.AuditId), all.Entries);
        var paged = new List<AuditRecord>();
        var request = new ListAuditRequest { PageSize = 2 };
        do
        {
            var page = await client.ListAuditAsync(request, cancellationToken: Token);
            paged.AddRange(page.Entries);
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        Assert.Equal(all.Entries, paged);
        var pauses = await client.ListAuditAsync(new ListAuditRequest { Verb = "Pause", Actor = "admin@acme.example", PageSize = 1000 }, cancellationToken: Token);
        Assert.Equal(all.Entries.Where(e => e.Verb == "Pause"), pauses.Entries);
        Assert.Contains("closing “the books”\n\tof Zürich 😀", pauses.Entries[0].Reason, StringComparison.Ordinal);
        Assert.Empty((await client.ListAuditAsync(new ListAuditRequest { Until = all.Entries[^1].RecordedAt }, cancellationToken: Token)).Entries);
    }

    [Fact]
    public async Task An_auditor_of_another_tenant_is_told_of_no_such_tenant()
    {
        var refused = await Assert.ThrowsAsync<RpcException>(async () => await fixture.Client("globex/*/auditor").VerifyAuditAsync(new VerifyAuditRequest { Tenant = "acme" }));
        Assert.Equal(StatusCode.NotFound, refused.StatusCode);
        var own = await fixture.Client("globex/*/auditor").ListAuditAsync(new ListAuditRequest());
        Assert.Empty(own.Entries);
    }

    private async Task<VerifyAuditResponse> VerifyAsync() => await fixture.Client().VerifyAuditAsync(new VerifyAuditRequest { Tenant = "acme" }, cancellationToken: Token);
}
