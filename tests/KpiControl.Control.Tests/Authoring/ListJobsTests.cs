using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Authoring;

public sealed class ListJobsTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Pages_filters_tenants_and_environments_show_what_is_theirs()
    {
        foreach (var id in new[] { "list_a", "list_b", "list_c" })
            await fixture.Host.CreateSimpleAsync(Token, id);
        await fixture.Host.Jobs().PauseJobAsync(new PauseJobRequest { Tenant = "acme", JobId = "list_b" }, cancellationToken: Token);
        async Task<string> ListAsync(string filter, string? token = null) => string.Join(' ',
            (await fixture.Host.Jobs(token).ListJobsAsync(new ListJobsRequest { Filter = filter }, cancellationToken: Token)).Jobs.Select(job => job.JobId));

        var first = await fixture.Host.Jobs().ListJobsAsync(new ListJobsRequest { PageSize = 2 }, cancellationToken: Token);
        var second = await fixture.Host.Jobs().ListJobsAsync(new ListJobsRequest { PageSize = 2, PageToken = first.NextPageToken }, cancellationToken: Token);

        Assert.Equal(["list_a", "list_b", "list_c"], first.Jobs.Concat(second.Jobs).Select(job => job.JobId));
        Assert.Equal("list_b", await ListAsync("paused = true"));
        Assert.Equal("list_a list_c", await ListAsync("paused=false AND job_id = \"list_*\" AND active != false"));
        Assert.Equal("list_a list_b", await ListAsync("job_id != list_c AND last_status != success"));
        Assert.Equal("", await ListAsync("", fixture.Issuer.Token("other-tenant")));
        Assert.Equal("", await ListAsync("", fixture.Issuer.PersonToken("p", "acme/prod/viewer")));
        Assert.Equal("list_a list_b list_c", await ListAsync("", fixture.Issuer.PersonToken("d", "acme/dev/viewer")));
    }

    [Theory]
    [InlineData("owner = me")]
    [InlineData("paused = maybe")]
    [InlineData("job_id ~ x")]
    [InlineData("job_id = a OR job_id = b")]
    [InlineData("job_id = \"unfinished")]
    [InlineData("'; DROP TABLE kpi_job_def; --")]
    public async Task A_filter_outside_of_the_subset_is_refused(string filter)
    {
        var refused = await Refusals.OfAsync(fixture.Host.Jobs().ListJobsAsync(new ListJobsRequest { Filter = filter }, cancellationToken: Token));

        Assert.Equal("filter", Assert.Single(refused.Violations()).Field);
    }
}
