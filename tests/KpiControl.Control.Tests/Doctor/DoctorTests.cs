using Dapper;
using KpiControl.Control.Database;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Doctor;

public sealed class DoctorTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_promise_is_checked_and_a_row_that_breaks_one_is_named_and_none_is_touched()
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync();
        var issuer = await TestIssuer.SharedAsync();
        await using var host = await ControlHost.StartAsync(database, issuer);
        var doctor = new DoctorService.DoctorServiceClient(host.Channel(issuer.PersonToken("operator", "*/*/platform_operator")));
        var well = await doctor.DiagnoseAsync(new DiagnoseRequest());

        var binding = await new BindingSeed(database).BindAsync(BindingSeed.Job("job"), "timestamptz '2100-01-01'", count: 30);
        await using var connection = await database.OpenAsync();
        await connection.ExecuteAsync("UPDATE kpi_job_runtime SET queued = 2");
        var ill = await doctor.DiagnoseAsync(new DiagnoseRequest());

        Assert.Equal(Invariants.All.Select(i => i.Name).Append("alerts reach their channels within a minute").Append("what was released by break-glass is reviewed").Append("stores that jobs follow are configured"), well.Checks.Select(c => c.Name));
        Assert.All(well.Checks, check => Assert.Equal(("ok", 0, false), (check.Outcome, check.Rows.Count, check.More)));
        var broken = Assert.Single(ill.Checks, check => check.Outcome != "ok");
        Assert.Equal(("invariant 4", "what queues is counted", "broken", 20, true), (broken.Kind, broken.Name, broken.Outcome, broken.Rows.Count, broken.More));
        Assert.Contains(broken.Rows, row => row == $"binding {binding}: 2 counted, 0 queued");
    }

    [Fact]
    public async Task Reviews_that_nobody_closed_are_counted_with_the_oldest_and_break_nothing()
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync();
        var issuer = await TestIssuer.SharedAsync();
        await using var host = await ControlHost.StartAsync(database, issuer);
        var doctor = new DoctorService.DoctorServiceClient(host.Channel(issuer.PersonToken("operator", "*/*/platform_operator")));
        ChangeService.ChangeServiceClient Changes(string name, string role) => new(host.Channel(issuer.PersonToken(name, $"acme/*/{role}")));
        await host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var released = new List<Change>();
        foreach (var job in new[] { "first", "second", "third" })
        {
            var change = await Changes("author", "author").ProposeChangeAsync(new ProposeChangeRequest
            {
                Environment = "prod", Content = SampleTexts.Simple(job, "0 6 * * *", "sla: { freshness: 48h }\nalerts: [ { channel: \"email:a@b.example\", severity: low } ]"),
            }, cancellationToken: Token);
            foreach (var name in new[] { "bea", "carl" })
                await Changes(name, "approver_business").ApproveChangeAsync(new DecideChangeRequest { ChangeId = change.ChangeId, Digest = change.Digest, Comment = "it cannot wait", BreakGlass = true }, cancellationToken: Token);
            released.Add(await Changes("publisher", "publisher").ApplyChangeAsync(new ApplyChangeRequest { ChangeId = change.ChangeId, BreakGlass = true, Reason = "the ledger is wrong" }, cancellationToken: Token));
        }
        await CloseAsync(released[0]);

        var check = (await doctor.DiagnoseAsync(new DiagnoseRequest(), cancellationToken: Token)).Checks.Single(c => c.Kind == "reviews");

        Assert.Equal(("open", false), (check.Outcome, check.More));
        var since = released[1].Review.OpenedAt.ToDateTime().ToString("yyyy-MM-dd HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal($"tenant acme, prod: 2 open, the oldest since {since}, of change {released[1].ChangeId} (kpictl changes reviews)", Assert.Single(check.Rows));
        await CloseAsync(released[1]);
        await CloseAsync(released[2]);
        Assert.Equal("ok", (await doctor.DiagnoseAsync(new DiagnoseRequest(), cancellationToken: Token)).Checks.Single(c => c.Kind == "reviews").Outcome);

        async Task CloseAsync(Change change) =>
            await Changes("dora", "approver_technical").CloseReviewAsync(new CloseReviewRequest { ChangeId = change.ChangeId, Comment = "it was right" }, cancellationToken: Token);
    }
}
