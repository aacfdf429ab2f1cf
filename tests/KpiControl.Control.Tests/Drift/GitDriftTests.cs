using Google.Protobuf.WellKnownTypes;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Drift;

/// <summary>A branch of a real repository, changed by git, beside what is bound.</summary>
public sealed class GitDriftTests : IDisposable
{
    private readonly GitRepository repository = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => repository.Dispose();

    [Fact]
    public async Task What_is_bound_is_what_the_branch_holds_until_one_of_them_moves()
    {
        await using var world = await DriftWorld.OfGitAsync(repository.Bare);
        var binding = await world.ApplyAsync("daily");
        var first = repository.Commit(("jobs/daily.yaml", "# as the author writes it\n" + SampleTexts.Simple("daily")));

        var store = await world.SyncAsync();
        Assert.Equal(("ok", first, 1, 1), (store.State, store.Version, store.Artifacts, store.ContentsRead));
        var drift = await world.OfAsync("daily");
        Assert.Equal(("in_sync", "jobs/daily.yaml", first), (drift.Entry.State, drift.Entry.Path, drift.Entry.StoreCommit));
        Assert.Equal((drift.Entry.BoundHash, first), (drift.Entry.SourceRef.ContentHash, drift.Entry.SourceRef.Commit));
        Assert.Equal(["store", "definition", "binding", "last_run"], drift.Ladder.Select(rung => rung.Rung));
        Assert.All(drift.Ladder, rung => Assert.True(rung.Agrees));
        Assert.Empty(await world.ListAsync());

        // The store moves on: nothing of what runs is touched, and it is known where they agreed.
        var second = repository.Commit(("jobs/daily.yaml", SampleTexts.Simple("daily", "0 5 * * *")));
        await world.SyncAsync();
        drift = await world.OfAsync("daily");
        Assert.Equal(("drifted", "the store has moved on from what is bound"), (drift.Entry.State, drift.Entry.Reason));
        Assert.Equal((first, second), (drift.Entry.SourceRef.Commit, drift.Entry.StoreCommit));
        Assert.Equal([true, false, true, true], drift.Ladder.Select(rung => rung.Agrees));
        var difference = Assert.Single(drift.Differences);
        Assert.Equal(("/schedule/expression", "\"*/15 * * * *\"", "\"0 5 * * *\""), (difference.Path, difference.Before, difference.After));
        var job = await world.Host.Jobs().GetJobAsync(new GetJobRequest { BindingId = binding }, cancellationToken: Token);
        Assert.Equal("*/15 * * * *", job.ScheduleCron);
        Assert.NotNull(job.NextRunAt);

        // The binding follows by hand: without another pass it is known that they are the same.
        await world.RebindAsync(binding, "daily", "0 5 * * *");
        Assert.Equal("in_sync", await world.StateAsync("daily"));
        await world.SyncAsync();
        Assert.Equal(second, (await world.OfAsync("daily")).Entry.SourceRef.Commit);

        // And on its own: the branch stands where it was.
        await world.RebindAsync(binding, "daily", "0 6 * * *");
        Assert.Equal(("drifted", "the binding has moved on from what the store holds"), (await world.OfAsync("daily")).Entry is var moved ? (moved.State, moved.Reason) : default);
    }

    [Fact]
    public async Task A_pass_reads_what_is_new_and_nothing_else()
    {
        await using var world = await DriftWorld.OfGitAsync(repository.Bare);
        repository.Commit([.. Enumerable.Range(0, 30).Select(i => ($"jobs/j{i}.yaml", (string?)SampleTexts.Simple($"j{i}")))]);
        Assert.Equal(30, (await world.SyncAsync()).ContentsRead);
        Assert.Equal((30, 0), await world.SyncAsync() is var again ? (again.Artifacts, again.ContentsRead) : default);

        // Another commit with the same files, one of them moved and one changed.
        repository.Commit(("README.md", "what this is"), ("jobs/j1.yaml", null), ("moved/j1.yaml", SampleTexts.Simple("j1")), ("jobs/j2.yaml", SampleTexts.Simple("j2", "0 1 * * *")));
        Assert.Equal((30, 2), await world.SyncAsync() is var moved ? (moved.Artifacts, moved.ContentsRead) : default);
        Assert.Equal(30, (await world.SyncAsync(readAll: true)).ContentsRead);
    }

    [Fact]
    public async Task Artifacts_that_are_gone_wrong_twice_or_nobodys_are_told_apart()
    {
        await using var world = await DriftWorld.OfGitAsync(repository.Bare);
        foreach (var job in new[] { "kept", "gone", "broken", "double", "paused" })
            await world.ApplyAsync(job);
        (string, string?)[] files = [.. new[] { "kept", "gone", "broken", "double", "paused" }.Select(job => ($"{job}.yaml", (string?)SampleTexts.Simple(job)))];
        repository.Commit(files);
        await world.SyncAsync();
        Assert.Empty(await world.ListAsync());

        await world.Host.Jobs().PauseJobAsync(new PauseJobRequest { Tenant = "acme", JobId = "paused" }, cancellationToken: Token);
        repository.Commit(("gone.yaml", null), ("broken.yaml", "job_id: [broken\n"), ("again/double.yaml", SampleTexts.Simple("double")), ("new.yaml", SampleTexts.Simple("new")),
            ("notes.json", "{"), (".github/workflow.yaml", "on: push"), ("huge.yaml", new string('#', 300_000)));
        await world.SyncAsync();

        Assert.Equal(["huge.yaml invalid", "notes.json invalid", "broken invalid", "double invalid", "gone missing", "new orphaned", "paused overridden"], await world.ListAsync());
        Assert.Equal(["kept in_sync"], await world.ListAsync("in_sync"));
        Assert.Equal(["gone missing"], await world.ListAsync("missing"));
        Assert.Equal("the store has gone.yaml no more; the job goes on with what is bound", (await world.OfAsync("gone")).Entry.Reason);
        Assert.Contains("broken.yaml is no valid artifact: line 2:", (await world.OfAsync("broken")).Entry.Reason, StringComparison.Ordinal);
        Assert.StartsWith("again/double.yaml and double.yaml are the same job", (await world.OfAsync("double")).Entry.Reason, StringComparison.Ordinal);
        var listed = (await world.Drift.ListDriftAsync(new ListDriftRequest { State = "invalid" }, cancellationToken: Token)).Entries;
        Assert.Equal("huge.yaml is larger than 256 KiB, which no artifact is", listed[0].Reason);

        // Page by page it is the same list.
        var (request, read) = (new ListDriftRequest { State = "all", PageSize = 2 }, new List<string>());
        do
        {
            var page = await world.Drift.ListDriftAsync(request, cancellationToken: Token);
            read.AddRange(page.Entries.Select(entry => $"{entry.JobId}{entry.Path}"));
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        Assert.Equal((8, 8), (read.Count, read.Distinct().Count()));

        repository.Commit(("gone.yaml", SampleTexts.Simple("gone")), ("broken.yaml", SampleTexts.Simple("broken")), ("again/double.yaml", null), ("new.yaml", null), ("notes.json", null), ("huge.yaml", null));
        await world.SyncAsync();
        Assert.Equal(["paused overridden"], await world.ListAsync());
        await world.Drift.SetOverrideAsync(new SetOverrideRequest
        {
            Tenant = "acme", JobId = "kept", Kind = "priority", Value = "1", Reason = "the board waits", ExpiresAt = Timestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow().AddHours(1)),
        }, cancellationToken: Token);
        Assert.Equal("it is what the store holds, and another priority stands over it", (await world.OfAsync("kept")).Entry.Reason);
        Assert.Equal("overridden", await world.StateAsync("kept"));
    }

    [Fact]
    public async Task A_store_that_is_down_says_so_and_what_was_read_of_it_is_kept()
    {
        await using var world = await DriftWorld.OfGitAsync(repository.Bare);
        await world.ApplyAsync("daily");
        var commit = repository.Commit(("daily.yaml", SampleTexts.Simple("daily")));
        await world.SyncAsync();

        Directory.Move(repository.Bare, repository.Bare + ".away");
        var store = await world.SyncAsync();
        Assert.Equal(("failing", 1, commit, 1), (store.State, store.Failures, store.Version, store.Artifacts));
        Assert.Contains(repository.Bare, store.Failure, StringComparison.Ordinal);
        Assert.Equal(2, (await world.SyncAsync()).Failures);
        Assert.InRange(store.NextPassAt.ToDateTimeOffset() - store.PassEndedAt.ToDateTimeOffset(), TimeSpan.FromSeconds(3.9), TimeSpan.FromSeconds(6.1));
        var drift = (await world.OfAsync("daily")).Entry;
        Assert.Equal(("unreadable", drift.BoundHash), (drift.State, drift.StoreHash));
        Assert.EndsWith("it held what is bound", drift.Reason, StringComparison.Ordinal);

        Directory.Move(repository.Bare + ".away", repository.Bare);
        store = await world.SyncAsync();
        Assert.Equal(("ok", 0, "", 0), (store.State, store.Failures, store.Failure, store.ContentsRead));
        Assert.Equal("in_sync", await world.StateAsync("daily"));
    }

    [Fact]
    public async Task A_branch_that_is_gone_is_named_with_those_that_are_there()
    {
        await using var world = await DriftWorld.OfGitAsync(repository.Bare);
        await world.ApplyAsync("daily");
        repository.Commit(("daily.yaml", SampleTexts.Simple("daily")));
        await world.SyncAsync();

        repository.RenameBranch("main", "trunk");
        var store = await world.SyncAsync();
        Assert.Equal("failing", store.State);
        Assert.Contains($"the branch main is not there any more, or never was; {repository.Bare} has trunk", store.Failure, StringComparison.Ordinal);
        Assert.Equal("unreadable", await world.StateAsync("daily"));
        Assert.Equal(1L, await world.ScalarAsync<long>("SELECT count(*) FROM kpi_store_artifact"));
    }

    [Fact]
    public async Task A_history_that_is_rewritten_is_told_and_audited_and_nothing_is_lost()
    {
        await using var world = await DriftWorld.OfGitAsync(repository.Bare);
        await world.ApplyAsync("daily");
        repository.Commit(("daily.yaml", SampleTexts.Simple("daily", "0 1 * * *")));
        var before = repository.Commit(("daily.yaml", SampleTexts.Simple("daily")));
        Assert.Null((await world.SyncAsync()).RewrittenAt);
        Assert.Null((repository.Commit(("README.md", "forward")), await world.SyncAsync()).Item2.RewrittenAt);
        before = repository.Head;

        var after = repository.Rewrite("daily.yaml", SampleTexts.Simple("daily", "0 2 * * *"));
        var store = await world.SyncAsync();
        Assert.Equal(("ok", before, after), (store.State, store.RewrittenFrom, store.RewrittenTo));
        Assert.Equal($"{before} {after}", await world.ScalarAsync<string>("SELECT concat(before->>'commit', ' ', after->>'commit') FROM kpi_audit WHERE verb = 'Rewrite' AND object_kind = 'store' AND object_id = 'acme-store'"));
        var drift = (await world.OfAsync("daily")).Entry;
        Assert.Equal(("drifted", drift.BoundHash), (drift.State, drift.SourceRef.ContentHash));
        Assert.Equal("*/15 * * * *", (await world.Host.Jobs().GetJobAsync(new GetJobRequest { Tenant = "acme", JobId = "daily" }, cancellationToken: Token)).ScheduleCron);

        // A node whose clone is a new one sees it too: the commit that was read is nowhere in the branch.
        var again = repository.Rewrite("daily.yaml", SampleTexts.Simple("daily", "0 3 * * *"));
        await using var other = await ControlHost.StartAsync(world.Database, world.Issuer, DriftWorld.Settings("git", repository.Bare));
        store = await world.SyncAsync();
        Assert.Equal((after, again), (store.RewrittenFrom, store.RewrittenTo));
    }

    [Fact]
    public async Task What_was_altered_in_the_database_shows_in_the_ladder()
    {
        await using var world = await DriftWorld.OfGitAsync(repository.Bare);
        var binding = await world.ApplyAsync("daily");
        repository.Commit(("daily.yaml", SampleTexts.Simple("daily")));
        await world.SyncAsync();
        await world.ScalarAsync<int>("UPDATE kpi_job_def SET canonical_json = replace(canonical_json, '*/15', '*/10')");

        var drift = await world.OfAsync("daily");
        Assert.Equal("drifted", drift.Entry.State);
        Assert.EndsWith("it was altered in the database", drift.Entry.Reason, StringComparison.Ordinal);
        Assert.Equal([true, false, false, true], drift.Ladder.Select(rung => rung.Agrees));
        await world.ScalarAsync<int>("UPDATE kpi_job_def SET canonical_json = replace(canonical_json, '*/10', '*/15')");
        Assert.True(binding > 0);
    }

    [Fact]
    public async Task Another_tenants_artifact_is_no_ones_here_and_another_tenant_sees_no_store()
    {
        await using var world = await DriftWorld.OfGitAsync(repository.Bare);
        repository.Commit(("daily.yaml", SampleTexts.Simple("daily").Replace("acme", "globex", StringComparison.Ordinal)));
        await world.SyncAsync();

        var entry = Assert.Single((await world.Drift.ListDriftAsync(new ListDriftRequest(), cancellationToken: Token)).Entries);
        Assert.Equal(("", "invalid", "daily.yaml is not an artifact of the tenant acme, whose store this is"), (entry.JobId, entry.State, entry.Reason));
        var stranger = new DriftService.DriftServiceClient(world.Host.Channel(world.Issuer.PersonToken("admin", "globex/*/admin")));
        Assert.Empty((await stranger.ListStoresAsync(new ListStoresRequest(), cancellationToken: Token)).Stores);
        Assert.Empty((await stranger.ListDriftAsync(new ListDriftRequest { State = "all" }, cancellationToken: Token)).Entries);
        Assert.Equal("NOT_FOUND", (await Refusals.OfAsync(stranger.SyncStoreAsync(new SyncStoreRequest { Store = DriftWorld.Store }, cancellationToken: Token))).Info().Reason);
    }

    [Fact]
    public async Task A_job_that_was_taken_away_with_its_artifact_has_not_drifted()
    {
        await using var world = await DriftWorld.OfGitAsync(repository.Bare);
        var changes = new ChangeService.ChangeServiceClient(world.Host.Channel());
        repository.Commit(("a.yaml", SampleTexts.Simple("a")), ("b.yaml", SampleTexts.Simple("b")));
        await ApplySetAsync(changes, "a", "b");
        await world.SyncAsync();
        repository.Commit(("b.yaml", null));
        await world.SyncAsync();
        Assert.Equal(["b missing"], await world.ListAsync());

        await ApplySetAsync(changes, "a");
        Assert.Empty(await world.ListAsync());
        Assert.Equal("in_sync", await world.StateAsync("b"));
    }

    private static async Task ApplySetAsync(ChangeService.ChangeServiceClient changes, params string[] jobs)
    {
        PlanArtifact[] set = [.. jobs.Select(job => new PlanArtifact { Content = SampleTexts.Simple(job) })];
        var plan = await changes.PlanJobsAsync(new PlanJobsRequest { Source = DriftWorld.Store, Prune = "remove", Artifacts = { set } }, cancellationToken: Token);
        await changes.ApplyPlanAsync(new ApplyPlanRequest { Source = DriftWorld.Store, Prune = "remove", Artifacts = { set }, PlanDigest = plan.Digest }, cancellationToken: Token);
    }
}
