using KpiControl.Control.Database;
using KpiControl.Control.Drift;
using KpiControl.Control.Drift.Stores;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Tests.Drift;

/// <summary>Jobs that are taken away while something of them waits to be written to their store.</summary>
public sealed class TakenAwayTests : IDisposable
{
    private const string TakenBack = "the job was taken away before it was written";

    private readonly GitRepository repository = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => repository.Dispose();

    [Fact]
    public async Task What_waits_to_be_written_of_a_job_that_is_pruned_is_not_written_any_more()
    {
        await using var world = await PendingAsync();
        await PruneAsync(world);
        Assert.Equal(("refused", TakenBack), (await world.OfAsync("daily")).Write is var write ? (write.StoreState, write.Problem) : default);
        Assert.Equal(1, await world.ScalarAsync<int>($"SELECT count(*)::int FROM kpi_audit WHERE object_kind = 'store_write' AND actor = 'admin@acme.example' AND after ->> 'problem' = '{TakenBack}'"));

        Directory.Move(repository.Bare + ".away", repository.Bare);
        await world.SyncAsync();
        Assert.DoesNotContain("KpiControl", repository.Log("%an"), StringComparison.Ordinal);
        // Nobody has said that the artifact goes too: it is there, and no job follows it.
        Assert.Equal(("orphaned", "the job was taken away, and the store has daily.yaml still"), (await world.OfAsync("daily")).Entry is var left ? (left.State, left.Reason) : default);
        Assert.Equal(["daily orphaned"], await world.ListAsync());

        repository.Commit(("daily.yaml", null));
        await world.SyncAsync();
        Assert.Equal(("in_sync", "the job was taken away, and the store has it no more"), (await world.OfAsync("daily")).Entry is var gone ? (gone.State, gone.Reason) : default);
        Assert.Empty(await world.ListAsync());
    }

    [Fact]
    public async Task What_a_pass_had_written_before_it_was_taken_back_is_said()
    {
        await using var world = await PendingAsync();
        await world.Host.StopAsync();
        await using var databases = new Databases(Options.Create(new DatabaseOptions { Requests = world.Database.Requests, Scheduler = world.Database.Scheduler }));
        var writes = new PendingWriteStore(databases);
        var claimed = new ClaimedStore { Store = DriftWorld.Store, TenantId = "acme", Environment = "dev" };
        var write = Assert.Single(await writes.OfAsync(claimed, Token));
        Assert.Null(write.Obsolete);
        // The pass pushes; the job is taken away before it can say so.
        await world.ScalarAsync<int>($"UPDATE kpi_store_write SET store_state = 'refused', problem = '{TakenBack}', ended_at = now()");
        await writes.EndAsync(write, WriteOutcome.Stored("c0ffee"), Token);
        Assert.Equal($"refused c0ffee {TakenBack}; a pass that was under way had written it by then", await world.ScalarAsync<string>("SELECT concat_ws(' ', store_state, stored_commit, problem) FROM kpi_store_write"));
    }

    [Fact]
    public async Task What_is_pending_of_a_job_that_the_database_says_is_gone_is_refused_by_the_pass()
    {
        await using var world = await PendingAsync();
        await world.ScalarAsync<int>("UPDATE kpi_job_binding SET active_flag = false, pruned_at = now() WHERE job_id = 'daily'");
        Directory.Move(repository.Bare + ".away", repository.Bare);
        await world.SyncAsync();
        Assert.Equal(("refused", TakenBack), (await world.OfAsync("daily")).Write is var write ? (write.StoreState, write.Problem) : default);
        Assert.DoesNotContain("KpiControl", repository.Log("%an"), StringComparison.Ordinal);
    }

    /// <summary>Two jobs of one source; of daily another definition is bound while the store is down.</summary>
    private async Task<DriftWorld> PendingAsync()
    {
        var world = await DriftWorld.OfGitAsync(repository.Bare, ("WritesApplied", "true"));
        repository.Commit(("daily.yaml", SampleTexts.Simple("daily")), ("other.yaml", SampleTexts.Simple("other")));
        await ApplySetAsync(world, "daily", "other");
        await world.SyncAsync();
        Assert.Equal("in_sync", await world.StateAsync("daily"));
        Directory.Move(repository.Bare, repository.Bare + ".away");
        Assert.Equal("failing", (await world.SyncAsync()).State);
        await world.RebindAsync((await world.OfAsync("daily")).Entry.BindingId, "daily", "0 5 * * *");
        Assert.Equal("pending_write", await world.StateAsync("daily"));
        return world;
    }

    private static Task PruneAsync(DriftWorld world) => ApplySetAsync(world, "other");

    private static async Task ApplySetAsync(DriftWorld world, params string[] jobs)
    {
        var changes = new ChangeService.ChangeServiceClient(world.Host.Channel());
        PlanArtifact[] set = [.. jobs.Select(job => new PlanArtifact { Content = SampleTexts.Simple(job) })];
        var plan = await changes.PlanJobsAsync(new PlanJobsRequest { Source = DriftWorld.Store, Prune = "remove", Artifacts = { set } }, cancellationToken: Token);
        await changes.ApplyPlanAsync(new ApplyPlanRequest { Source = DriftWorld.Store, Prune = "remove", Artifacts = { set }, PlanDigest = plan.Digest }, cancellationToken: Token);
    }
}
