using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Drift;

/// <summary>A drift is ended by binding what the store holds, or by writing what is bound to the store.</summary>
public sealed class ReconcileTests : IDisposable
{
    private readonly GitRepository repository = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => repository.Dispose();

    [Fact]
    public async Task Promoting_binds_what_the_store_holds_and_only_what_was_looked_at()
    {
        await using var world = await DriftedAsync();
        var drift = (await world.OfAsync("daily")).Entry;
        Assert.Equal("DRIFT_MOVED", await ReasonAsync(world.ReconcileAsync("daily", "promote", storeHash: drift.BoundHash)));
        Assert.Equal(("rebound", "r2"), await world.ReconcileAsync("daily", "promote", validateOnly: true) is var rehearsed ? (rehearsed.Outcome, rehearsed.Etag) : default);
        Assert.Equal("drifted", await world.StateAsync("daily"));

        var done = await world.ReconcileAsync("daily", "promote", drift.StoreHash, reason: "as agreed");

        Assert.Equal(("rebound", "r2"), (done.Outcome, done.Etag));
        var job = await world.Host.Jobs().GetJobAsync(new GetJobRequest { Tenant = "acme", JobId = "daily" }, cancellationToken: Token);
        Assert.Equal(("0 5 * * *", drift.StoreHash), (job.ScheduleCron, job.ContentHash));
        Assert.Equal("in_sync", await world.StateAsync("daily"));
        Assert.Equal($"promoted from acme-store:daily.yaml at {repository.Head}: as agreed", await world.ScalarAsync<string>("SELECT reason FROM kpi_binding_revision WHERE revision = 2"));
        Assert.Equal("in_sync", (await world.ReconcileAsync("daily", "promote")).Outcome);
    }

    [Fact]
    public async Task Where_policy_asks_for_approval_promoting_opens_a_change_and_binds_nothing()
    {
        await using var world = await DriftedAsync();
        await new TenantService.TenantServiceClient(world.Host.Channel()).PutPolicyAsync(new PutPolicyRequest { Tenant = "acme", Environment = "dev", RequiresApproval = true }, cancellationToken: Token);

        var proposed = await world.ReconcileAsync("daily", "promote");

        Assert.Equal(("proposed", "r1"), (proposed.Outcome, proposed.Etag));
        var change = await new ChangeService.ChangeServiceClient(world.Host.Channel()).GetChangeAsync(new GetChangeRequest { ChangeId = proposed.ChangeId }, cancellationToken: Token);
        Assert.Equal(("open", (await world.OfAsync("daily")).Entry.StoreHash), (change.State, change.ContentHash));
        Assert.Equal("drifted", await world.StateAsync("daily"));
    }

    [Fact]
    public async Task Rolling_back_is_a_commit_of_what_is_bound_as_its_author_wrote_it()
    {
        await using var world = await DriftedAsync();
        var before = repository.Head;
        var asked = await world.ReconcileAsync("daily", "roll_back", reason: "was not agreed to");
        Assert.Equal(("pending_write", "pending", "daily.yaml"), (asked.Outcome, asked.Write.StoreState, asked.Write.Path));

        var store = await world.SyncAsync();

        Assert.Equal(SampleTexts.Simple("daily").TrimEnd(), repository.Show("daily.yaml"));
        var lines = repository.Log("%H %P %an %s").Split('\n');
        Assert.Equal($"{store.Version} {before} KpiControl Roll back daily to what is bound in acme/dev", lines[0]);
        Assert.Contains("was not agreed to\n\nKpi-Content-Hash: sha256:", repository.Log("%b"), StringComparison.Ordinal);
        var drift = await world.OfAsync("daily");
        Assert.Equal(("in_sync", "stored", store.Version, 1), (drift.Entry.State, drift.Write.StoreState, drift.Write.StoredCommit, drift.Write.Tries));
        Assert.Equal(store.Version, drift.Entry.SourceRef.Commit);
        Assert.Equal("stored", await world.ScalarAsync<string>("SELECT after->>'store_state' FROM kpi_audit WHERE object_kind = 'store_write' ORDER BY audit_id DESC LIMIT 1"));
        // Nothing that is bound was touched, and there is nothing left to do.
        Assert.Equal(1L, await world.ScalarAsync<long>("SELECT count(*) FROM kpi_binding_revision"));
        Assert.Equal("in_sync", (await world.ReconcileAsync("daily", "roll_back")).Outcome);
    }

    [Fact]
    public async Task A_store_that_is_down_delays_nothing_and_what_waits_for_it_is_written_once()
    {
        await using var world = await DriftedAsync();
        Directory.Move(repository.Bare, repository.Bare + ".away");
        await world.ReconcileAsync("daily", "roll_back");
        await world.SyncAsync();
        var drift = await world.OfAsync("daily");
        Assert.Equal(("pending_write", "pending"), (drift.Entry.State, drift.Write.StoreState));
        Assert.Contains("the last try failed: ", drift.Entry.Reason, StringComparison.Ordinal);

        Directory.Move(repository.Bare + ".away", repository.Bare);
        await world.SyncAsync();
        Assert.Equal("in_sync", await world.StateAsync("daily"));
        var commits = repository.Log("%H");

        // The commit is there, and the node died before it noted that: the next one finds it, and makes no other.
        await world.ScalarAsync<int>("UPDATE kpi_store_write SET store_state = 'pending', ended_at = NULL, stored_commit = NULL");
        await world.SyncAsync();
        Assert.Equal(commits, repository.Log("%H"));
        Assert.Equal("stored", (await world.OfAsync("daily")).Write.StoreState);
    }

    [Fact]
    public async Task What_the_author_did_meanwhile_is_not_written_over()
    {
        await using var world = await DriftedAsync();
        await world.ReconcileAsync("daily", "roll_back", validateOnly: true);
        var latest = repository.Commit(("daily.yaml", SampleTexts.Simple("daily", "0 7 * * *")));
        await world.ReconcileAsync("daily", "roll_back");
        await world.SyncAsync();

        var drift = await world.OfAsync("daily");
        Assert.Equal(("drifted", "refused", latest), (drift.Entry.State, drift.Write.StoreState, drift.Store.Version));
        Assert.StartsWith("the store has moved on: daily.yaml is not what it was", drift.Write.Problem, StringComparison.Ordinal);

        // Looked at again, it is.
        await world.ReconcileAsync("daily", "roll_back", drift.Entry.StoreHash);
        await world.SyncAsync();
        Assert.Equal("in_sync", await world.StateAsync("daily"));

        // And another definition that is bound before the write overtakes it.
        repository.Pull();
        repository.Commit(("daily.yaml", SampleTexts.Simple("daily", "0 8 * * *")));
        await world.SyncAsync();
        Directory.Move(repository.Bare, repository.Bare + ".away");
        await world.ReconcileAsync("daily", "roll_back");
        await world.RebindAsync((await world.OfAsync("daily")).Entry.BindingId, "daily", "0 8 * * *");
        Directory.Move(repository.Bare + ".away", repository.Bare);
        await world.SyncAsync();
        drift = await world.OfAsync("daily");
        Assert.Equal(("in_sync", "refused", "another definition was bound before it was written"), (drift.Entry.State, drift.Write.StoreState, drift.Write.Problem));
    }

    [Fact]
    public async Task What_is_gone_or_broken_is_written_where_it_was_and_what_never_was_there_where_it_is_wanted()
    {
        await using var world = await DriftWorld.OfGitAsync(repository.Bare, ("Paths:0", "jobs/**"));
        foreach (var job in new[] { "gone", "broken" })
            await world.ApplyAsync(job);
        repository.Commit(("jobs/a/gone.yaml", SampleTexts.Simple("gone")), ("jobs/broken.yaml", SampleTexts.Simple("broken")));
        await world.SyncAsync();
        repository.Commit(("jobs/a/gone.yaml", null), ("jobs/broken.yaml", "job_id: ["));
        await world.SyncAsync();
        PlanArtifact[] set = [new() { Content = SampleTexts.Simple("never") }];
        var changes = new ChangeService.ChangeServiceClient(world.Host.Channel());
        var plan = await changes.PlanJobsAsync(new PlanJobsRequest { Source = DriftWorld.Store, Artifacts = { set } }, cancellationToken: Token);
        await changes.ApplyPlanAsync(new ApplyPlanRequest { Source = DriftWorld.Store, Artifacts = { set }, PlanDigest = plan.Digest }, cancellationToken: Token);
        await world.SyncAsync();
        Assert.Equal(["broken invalid", "gone missing", "never missing"], await world.ListAsync());
        foreach (var job in new[] { "broken", "gone" })
            Assert.Equal("NOTHING_TO_PROMOTE", await ReasonAsync(world.ReconcileAsync(job, "promote")));
        foreach (var path in new[] { "never.yaml", "jobs/../never.yaml", "/jobs/never.yaml", "jobs/.never.yaml" })
            Assert.Equal(StatusCode.InvalidArgument, (await Assert.ThrowsAsync<RpcException>(() => world.ReconcileAsync("never", "roll_back", path: path))).StatusCode);

        foreach (var (job, path) in new[] { ("gone", ""), ("broken", ""), ("never", "jobs/never.json") })
            await world.ReconcileAsync(job, "roll_back", path: path);
        await world.SyncAsync();

        Assert.Empty(await world.ListAsync());
        Assert.Equal(SampleTexts.Simple("gone").TrimEnd(), repository.Show("jobs/a/gone.yaml"));
        Assert.StartsWith("{\"contract_version\":", repository.Show("jobs/never.json"), StringComparison.Ordinal);
        Assert.Equal(3, repository.Log("%an").Split('\n').Count(author => author == "KpiControl"));
    }

    [Fact]
    public async Task A_file_is_replaced_whole_and_not_where_somebody_changed_it_or_a_link_leads_elsewhere()
    {
        var root = Directory.CreateTempSubdirectory("kpi-files-").FullName;
        try
        {
            await using var world = await DriftWorld.OfDirectoryAsync(root);
            var (file, bound) = (Path.Combine(root, "daily.yaml"), SampleTexts.Simple("daily"));
            await world.ApplyAsync("daily");
            await File.WriteAllTextAsync(file, SampleTexts.Simple("daily", "0 5 * * *"), Token);
            await world.SyncAsync();
            await world.ReconcileAsync("daily", "roll_back");
            await world.SyncAsync();
            Assert.Equal((bound, "in_sync"), (await File.ReadAllTextAsync(file, Token), await world.StateAsync("daily")));
            Assert.Equal([file], Directory.GetFiles(root));

            await File.WriteAllTextAsync(file, SampleTexts.Simple("daily", "0 15 * * *"), Token);
            await world.SyncAsync();
            await File.WriteAllTextAsync(file, SampleTexts.Simple("daily", "0 16 1 * *"), Token);
            await world.ReconcileAsync("daily", "roll_back");
            await world.SyncAsync();
            Assert.Equal("refused", (await world.OfAsync("daily")).Write.StoreState);
            Assert.Contains("0 16 1 * *", await File.ReadAllTextAsync(file, Token), StringComparison.Ordinal);

            var elsewhere = Path.Combine(root, ".elsewhere");
            File.Move(file, elsewhere);
            await world.SyncAsync();
            File.CreateSymbolicLink(file, elsewhere);
            await world.ReconcileAsync("daily", "roll_back");
            await world.SyncAsync();
            Assert.Contains("leads through a link", (await world.OfAsync("daily")).Write.Problem, StringComparison.Ordinal);
            Assert.Contains("0 16 1 * *", await File.ReadAllTextAsync(elsewhere, Token), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    [Fact]
    public async Task Rolling_back_over_https_is_a_push_and_one_that_is_refused_is_said_and_tried_again()
    {
        var password = Path.GetTempFileName();
        await File.WriteAllTextAsync(password, "geheim-0815\n", Token);
        using var authority = new TestAuthority();
        await using var server = await GitHttpServer.StartAsync(repository.Root, "geheim-0815", authority);
        repository.Commit(("daily.yaml", SampleTexts.Simple("daily", "0 5 * * *")));
        await using var world = await DriftWorld.OfGitAsync($"{server.Url}/kpi-jobs.git", ("User", GitHttpServer.User), ("Password", $"file:{password}"), ("CaFile", authority.CertificateFile));
        await world.ApplyAsync("daily");
        await world.SyncAsync();
        await world.ReconcileAsync("daily", "roll_back");
        await world.SyncAsync();

        Assert.Equal(("in_sync", ""), await world.OfAsync("daily") is var drift ? (drift.Entry.State, drift.Write.Problem) : default);
        Assert.Equal("KpiControl", repository.Log("%an").Split('\n')[0]);

        // The server lets nobody push: what it holds is read all the same.
        var hook = Path.Combine(repository.Bare, "hooks", "update");
        await File.WriteAllTextAsync(hook, "#!/bin/sh\nexit 1\n", Token);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(hook, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        await world.RebindAsync((await world.OfAsync("daily")).Entry.BindingId, "daily", "0 9 * * *");
        await world.ReconcileAsync("daily", "roll_back");
        Assert.Equal("ok", (await world.SyncAsync()).State);
        var refused = await world.OfAsync("daily");
        Assert.Equal("pending_write", refused.Entry.State);
        // The act asks for a pass of its own: it may have tried before the pass that the test asked for did.
        Assert.InRange(refused.Write.Tries, 1, 2);
        Assert.Contains("refuses the push to main: ", refused.Write.Problem, StringComparison.Ordinal);
        File.Delete(hook);
        await world.SyncAsync();
        Assert.Equal("in_sync", await world.StateAsync("daily"));
        File.Delete(password);
    }

    /// <summary>The job daily is bound at every quarter of an hour, and the store has it at five.</summary>
    private async Task<DriftWorld> DriftedAsync()
    {
        var world = await DriftWorld.OfGitAsync(repository.Bare);
        await world.ApplyAsync("daily");
        repository.Commit(("daily.yaml", SampleTexts.Simple("daily")));
        await world.SyncAsync();
        repository.Commit(("daily.yaml", SampleTexts.Simple("daily", "0 5 * * *")));
        await world.SyncAsync();
        Assert.Equal("drifted", await world.StateAsync("daily"));
        return world;
    }

    private static async Task<string> ReasonAsync(Task<ReconcileJobResponse> call) => (await Assert.ThrowsAsync<RpcException>(() => call)).Info().Reason;
}
