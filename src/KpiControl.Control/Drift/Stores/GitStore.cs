using KpiControl.Jobs.Artifacts;
using LibGit2Sharp;

namespace KpiControl.Control.Drift.Stores;

/// <summary>
/// A branch of a Git repository, by way of a bare clone that holds that branch alone. A pass over a branch that has not moved learns
/// its tip and is sent nothing; of one that moved, trees are compared and only blobs that are new are read.
/// </summary>
internal sealed class GitStore(StoreSettings settings, string cache) : IArtifactStore, IDisposable
{
    private const string Remote = "origin", Branches = "refs/heads/";

    private readonly PathPatterns patterns = new(settings.Patterns);
    private readonly GitAccess access = new(settings);
    private readonly GitSignatures signatures = new(settings);

    // The library's calls cannot be taken back: one that hangs must not be joined by another on the same clone.
    private readonly SemaphoreSlim alone = new(1);

    private string Pushed => $"refs/kpi-writes/{settings.Branch}";

    private string Tracked => $"refs/kpi/{settings.Branch}";

    public Task<IStoreSnapshot> OpenAsync(string? before, CancellationToken token) => AloneAsync<IStoreSnapshot>(() => Open(before, token), token);

    public async Task<IReadOnlyList<WriteOutcome>> WriteAsync(IReadOnlyList<PendingWrite> writes, string? before, CancellationToken token)
    {
        using var written = await AloneAsync(() => Write(writes, before, token), token);
        return written.Outcomes;
    }

    // What comes of the work lets go of the clone when it is disposed.
    private async Task<T> AloneAsync<T>(Func<T> work, CancellationToken token) where T : IDisposable
    {
        if (!await alone.WaitAsync(TimeSpan.Zero, token))
            throw new StoreFaultException($"{settings.Location} has not answered an earlier pass yet");
        var working = Task.Run(async () =>
        {
            try
            {
                await access.DemandReachableAsync(token);
                return work();
            }
            catch
            {
                alone.Release();
                throw;
            }
        }, CancellationToken.None);
        try
        {
            return await working.WaitAsync(token);
        }
        catch (OperationCanceledException)
        {
            // Whenever it ends after all, nobody waits for it.
            _ = working.ContinueWith(late => late.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
            throw;
        }
    }

    public void Dispose() => alone.Dispose();

    private Snapshot Open(string? before, CancellationToken token)
    {
        var repository = Clone();
        try
        {
            var tip = Fetch(repository, token);
            signatures.DemandSigned(repository, before, repository.Lookup<Commit>(tip));
            return new Snapshot(this, repository, tip, before is not null && tip != before && !IsPartOf(repository, before, tip));
        }
        catch
        {
            repository.Dispose();
            throw;
        }
    }

    private Written Write(IReadOnlyList<PendingWrite> writes, string? before, CancellationToken token)
    {
        using var repository = Clone();
        var tip = repository.Lookup<Commit>(Fetch(repository, token));
        // What is built upon it would vouch for it.
        signatures.DemandSigned(repository, before, tip);
        var (branch, outcomes) = (new GitCommits(repository, tip, signatures), new List<WriteOutcome>());
        foreach (var write in writes)
            outcomes.Add(branch.Add(write));
        if (branch.Tip.Id != tip.Id)
            Push(repository, branch.Tip);
        return new Written(this, outcomes);
    }

    // Never by force: where the branch has moved meanwhile nothing of it is written, and the next pass builds upon what is there then.
    private void Push(Repository repository, Commit tip)
    {
        repository.Refs.Add(Pushed, tip.Id, allowOverwrite: true);
        var refused = "";
        access.Call(credentials =>
        {
            repository.Network.Push(repository.Network.Remotes[Remote], $"{Pushed}:{Branches}{settings.Branch}", new PushOptions
            {
                CredentialsProvider = credentials, CertificateCheck = access.CertificateCheck, OnPushStatusError = error => refused = error.Message,
            });
            return true;
        });
        if (refused.Length > 0)
            throw new StoreFaultException($"{settings.Location} refuses the push to {settings.Branch}: {refused}");
    }

    private Repository Clone()
    {
        if (!Repository.IsValid(cache))
        {
            if (Directory.Exists(cache))
                Directory.Delete(cache, recursive: true);
            Repository.Init(cache, isBare: true);
        }
        var repository = new Repository(cache);
        if (repository.Network.Remotes[Remote] is null)
            repository.Network.Remotes.Add(Remote, settings.Location, $"+{Branches}{settings.Branch}:{Tracked}");
        repository.Network.Remotes.Update(Remote, remote => remote.Url = settings.Location);
        access.Configure(repository);
        return repository;
    }

    /// <returns>The branch's commit. One that the clone has already costs a look at what the server's branches are, and nothing is sent.</returns>
    private string Fetch(Repository repository, CancellationToken token)
    {
        var options = new FetchOptions
        {
            TagFetchMode = TagFetchMode.None, Prune = true, CertificateCheck = access.CertificateCheck, OnTransferProgress = _ => !token.IsCancellationRequested,
        };
        try
        {
            return access.Call(credentials =>
            {
                options.CredentialsProvider = credentials;
                repository.Network.Fetch(Remote, [$"+{Branches}{settings.Branch}:{Tracked}"], options);
                return repository.Refs[Tracked]?.TargetIdentifier;
            }) ?? throw new StoreFaultException($"the branch {settings.Branch} is not there any more, or never was{Others(repository)}");
        }
        catch (UserCancelledException)
        {
            throw new OperationCanceledException(token);
        }
    }

    // The library's listing knows no authority but the system's: where it cannot be had, the sentence ends earlier.
    private string Others(Repository repository)
    {
        try
        {
            var others = access.Call(credentials => repository.Network.ListReferences(repository.Network.Remotes[Remote], credentials).Select(reference => reference.CanonicalName)
                .Where(name => name.StartsWith(Branches, StringComparison.Ordinal)).Select(name => name[Branches.Length..]).Take(5).ToList());
            return others.Count > 0 ? $"; {settings.Location} has {string.Join(", ", others)}" : $"; {settings.Location} has no branch";
        }
        catch (StoreFaultException)
        {
            return "";
        }
    }

    // A commit that the clone never had is not part of the branch either: all of the branch was fetched.
    private static bool IsPartOf(Repository repository, string before, string tip) =>
        repository.Lookup<Commit>(before) is { } was && repository.ObjectDatabase.FindMergeBase(was, repository.Lookup<Commit>(tip))?.Sha == was.Sha;

    private sealed class Snapshot(GitStore store, Repository repository, string tip, bool isRewritten) : IStoreSnapshot
    {
        public string Version => tip;

        public string? Commit => tip;

        public bool IsRewritten => isRewritten;

        // The library's handle is for one thread.
        public int ReadsAtOnce => 1;

        public IReadOnlyList<StoreEntry> List()
        {
            var found = new List<StoreEntry>();
            Walk(repository.Lookup<Commit>(tip).Tree, "", found);
            return store.patterns.Select(found, entry => entry.Path);
        }

        public Task<byte[]> ReadAsync(StoreEntry entry, CancellationToken token) => Task.FromResult(Read(entry));

        private byte[] Read(StoreEntry entry)
        {
            try
            {
                using var content = repository.Lookup<Blob>(entry.Version)?.GetContentStream() ?? throw new StoreFaultException($"its content {entry.Version[..7]} is not in the clone");
                var bytes = new byte[(int)Math.Min(content.Length, ArtifactLimits.MaxBytes + 1)];
                return bytes[..content.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
            }
            catch (LibGit2SharpException error)
            {
                throw new StoreFaultException($"its content {entry.Version[..7]} cannot be read: {error.Message}");
            }
        }

        public void Dispose()
        {
            repository.Dispose();
            store.alone.Release();
        }

        // Links and submodules are no files.
        private static void Walk(Tree tree, string folder, List<StoreEntry> found)
        {
            foreach (var entry in tree)
                if (entry.TargetType == TreeEntryTargetType.Tree)
                    Walk((Tree)entry.Target, $"{folder}{entry.Name}/", found);
                else if (entry.Mode is Mode.NonExecutableFile or Mode.ExecutableFile or Mode.NonExecutableGroupWritableFile)
                    found.Add(new StoreEntry(folder + entry.Name, entry.Target.Sha));
        }
    }

    private sealed class Written(GitStore store, IReadOnlyList<WriteOutcome> outcomes) : IDisposable
    {
        public IReadOnlyList<WriteOutcome> Outcomes => outcomes;

        public void Dispose() => store.alone.Release();
    }
}
