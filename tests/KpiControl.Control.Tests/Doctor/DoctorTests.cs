using Dapper;
using KpiControl.Control.Database;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Doctor;

public sealed class DoctorTests
{
    [Fact]
    public async Task Each_promise_is_checked_and_a_row_that_breaks_one_is_named_and_none_is_touched()
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync();
        await using var issuer = await TestIssuer.StartAsync();
        await using var host = await ControlHost.StartAsync(database, issuer);
        var doctor = new DoctorService.DoctorServiceClient(host.Channel(issuer.PersonToken("operator", "*/*/platform_operator")));
        var well = await doctor.DiagnoseAsync(new DiagnoseRequest());

        var binding = await new BindingSeed(database).BindAsync(BindingSeed.Job("job"), "timestamptz '2100-01-01'", count: 30);
        await using var connection = await database.OpenAsync();
        await connection.ExecuteAsync("UPDATE kpi_job_runtime SET queued = 2");
        var ill = await doctor.DiagnoseAsync(new DiagnoseRequest());

        Assert.Equal(Invariants.All.Select(i => i.Name).Append("alerts reach their channels within a minute"), well.Checks.Select(c => c.Name));
        Assert.All(well.Checks, check => Assert.Equal(("ok", 0, false), (check.Outcome, check.Rows.Count, check.More)));
        var broken = Assert.Single(ill.Checks, check => check.Outcome != "ok");
        Assert.Equal(("invariant 4", "what queues is counted", "broken", 20, true), (broken.Kind, broken.Name, broken.Outcome, broken.Rows.Count, broken.More));
        Assert.Contains(broken.Rows, row => row == $"binding {binding}: 2 counted, 0 queued");
    }
}
