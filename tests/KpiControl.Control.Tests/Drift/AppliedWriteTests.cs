using System.Text;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Drift;

/// <summary>What is put in force, by whatever door, is written to the store that has the job: later, once, and never over somebody's work.</summary>
public sealed class AppliedWriteTests : IDisposable
{
    private readonly GitRepository repository = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => repository.Dispose();

    [Fact]
    public async Task A_put_a_promotion_and_a_roll_back_are_commits_of_the_store()
    {
        await using var world = await WorldAsync();
        var bindingId = await BoundAsync(world);

        await world.RebindAsync(bindingId, "daily", "0 5 * * *");
        await StoredAsync(world, "0 5 * * *");
        Assert.Equal(("stored", "applied", "admin@acme.example"), (await world.OfAsync("daily")).Write is var write ? (write.StoreState, write.Cause, write.RequestedBy) : default);
        Assert.Equal("Apply daily as it is bound in acme/dev", repository.Log("%s").Split('\n')[0]);

        using var rest = world.Host.Rest();
        using var content = new StringContent(SampleTexts.Simple("daily", "0 6 * * *"), Encoding.UTF8, "application/yaml");
        (await rest.PutAsync($"/api/kpi-jobs/{bindingId}", content, Token)).EnsureSuccessStatusCode();
        await StoredAsync(world, "0 6 * * *");

        var changes = new ChangeService.ChangeServiceClient(world.Host.Channel());
        var back = await changes.RollBackJobAsync(new RollBackJobRequest { BindingId = bindingId, Reason = "too early" }, cancellationToken: Token);
        await changes.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = back.ChangeId }, cancellationToken: Token);
        await StoredAsync(world, "0 5 * * *");
        Assert.Equal(3, repository.Log("%an").Split('\n').Count(author => author == "KpiControl"));
        Assert.Equal(3, await world.ScalarAsync<int>("SELECT count(*)::int FROM kpi_audit WHERE object_kind = 'store_write' AND verb = 'Update' AND after ->> 'store_state' = 'stored'"));
    }

    [Fact]
    public async Task A_job_that_no_store_has_is_written_where_new_jobs_are_and_is_pending_from_its_first_commit()
    {
        await using var world = await WorldAsync(("NewJobs", "jobs/{job_id}.yaml"));
        repository.Commit(("README.md", "none"));
        await world.SyncAsync();
        Directory.Move(repository.Bare, repository.Bare + ".away");
        await world.ApplyAsync("fresh");
        Assert.Equal(("pending_write", "jobs/fresh.yaml", "pending"), await world.OfAsync("fresh") is var pending ? (pending.Entry.State, pending.Write.Path, pending.Write.StoreState) : default);
        var job = await world.Host.Jobs().GetJobAsync(new GetJobRequest { Tenant = "acme", Environment = "dev", JobId = "fresh" }, cancellationToken: Token);
        Assert.Equal(("acme-store", "pending_write"), (job.Drift.Store, job.Drift.State));
        Assert.Equal(["store", "definition", "binding", "last_run"], job.Drift.Ladder.Select(rung => rung.Rung));
        Assert.Equal(job.ContentHash, job.Drift.Ladder[2].ContentHash);

        // The store is down, and another definition comes: what is written is the last, once.
        Assert.Equal("failing", (await world.SyncAsync()).State);
        await world.RebindAsync(job.BindingId, "fresh", "0 7 * * *");
        Directory.Move(repository.Bare + ".away", repository.Bare);
        await world.SyncAsync();
        Assert.Equal("in_sync", await world.StateAsync("fresh"));
        Assert.Contains("0 7 * * *", repository.Show("jobs/fresh.yaml"), StringComparison.Ordinal);
        Assert.Single(repository.Log("%an").Split('\n'), author => author == "KpiControl");
    }

    [Fact]
    public async Task Nothing_is_written_over_what_somebody_else_wrote_whether_it_was_read_or_not()
    {
        await using var world = await WorldAsync();
        var bindingId = await BoundAsync(world);
        repository.Commit(("daily.yaml", SampleTexts.Simple("daily", "0 1 * * *")));
        await world.RebindAsync(bindingId, "daily", "0 5 * * *");
        await world.SyncAsync();
        Assert.Equal(("drifted", "refused"), await world.OfAsync("daily") is var unread ? (unread.Entry.State, unread.Write.StoreState) : default);
        Assert.Contains("the store has moved on", (await world.OfAsync("daily")).Write.Problem, StringComparison.Ordinal);

        await world.RebindAsync(bindingId, "daily", "0 6 * * *");
        Assert.Equal(("drifted", "refused"), await world.OfAsync("daily") is var read ? (read.Entry.State, read.Write.StoreState) : default);
        await world.SyncAsync();
        Assert.Contains("0 1 * * *", repository.Show("daily.yaml"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_written_without_anybody_knowing_is_written_over_by_what_took_its_place()
    {
        await using var world = await WorldAsync();
        var bindingId = await BoundAsync(world);
        Directory.Move(repository.Bare, repository.Bare + ".away");
        Assert.Equal("failing", (await world.SyncAsync()).State);
        await world.RebindAsync(bindingId, "daily", "0 5 * * *");
        // A node pushed it and died before it could say so.
        Directory.Move(repository.Bare + ".away", repository.Bare);
        repository.Commit(("daily.yaml", SampleTexts.Simple("daily", "0 5 * * *")));
        await world.RebindAsync(bindingId, "daily", "0 6 * * *");
        await world.SyncAsync();
        Assert.Equal("in_sync", await world.StateAsync("daily"));
        Assert.Contains("0 6 * * *", repository.Show("daily.yaml"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_store_holds_already_is_no_write_and_a_store_that_people_alone_write_has_none()
    {
        await using var world = await WorldAsync();
        var bindingId = await BoundAsync(world);
        repository.Commit(("daily.yaml", SampleTexts.Simple("daily", "0 5 * * *")));
        await world.SyncAsync();
        await world.ReconcileAsync("daily", "promote");
        Assert.Equal("in_sync", await world.StateAsync("daily"));
        Assert.Equal(0, await world.ScalarAsync<int>("SELECT count(*)::int FROM kpi_store_write"));

        await world.ScalarAsync<int>("UPDATE kpi_store SET writes_applied = false");
        await world.RebindAsync(bindingId, "daily", "0 6 * * *");
        Assert.Equal("drifted", await world.StateAsync("daily"));
        Assert.Equal(0, await world.ScalarAsync<int>("SELECT count(*)::int FROM kpi_store_write"));
    }

    [Theory]
    [InlineData(":NewJobs 'jobs/all.yaml' is not a path", "NewJobs", "jobs/all.yaml")]
    [InlineData(":NewJobs '../{job_id}.yaml' is not a path", "NewJobs", "../{job_id}.yaml")]
    [InlineData(":NewJobs '{job_id}.txt' is not a path", "NewJobs", "{job_id}.txt")]
    [InlineData(":NewJobs says where jobs are written, and WritesApplied that none are", "NewJobs", "{job_id}.yaml", "WritesApplied", "false")]
    public void Settings_that_contradict_each_other_are_refused_at_start(string told, params string[] settings) => StorePassTests.Refused(told, settings);

    private Task<DriftWorld> WorldAsync(params (string, string)[] more) => DriftWorld.OfGitAsync(repository.Bare, [("WritesApplied", "true"), .. more]);

    /// <summary>The job daily, every quarter of an hour, as the store has it.</summary>
    private async Task<long> BoundAsync(DriftWorld world)
    {
        var bindingId = await world.ApplyAsync("daily");
        repository.Commit(("daily.yaml", SampleTexts.Simple("daily")));
        await world.SyncAsync();
        Assert.Equal("in_sync", await world.StateAsync("daily"));
        return bindingId;
    }

    // Nobody asks: a node looks by itself.
    private async Task StoredAsync(DriftWorld world, string cron)
    {
        await Eventually.ComesAsync($"{cron} in the store", async _ => await world.StateAsync("daily") == "in_sync" ? "" : null);
        Assert.Contains(cron, repository.Show("daily.yaml"), StringComparison.Ordinal);
    }
}
