using Dapper;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Drift;

/// <summary>A node with one store, <c>acme-store</c> of acme in dev, over which passes are made when a test asks.</summary>
public sealed class DriftWorld : IAsyncDisposable
{
    public const string Store = "acme-store";

    private DriftWorld(TestDatabase database, TestIssuer issuer, ControlHost host) => (Database, Issuer, Host) = (database, issuer, host);

    public TestDatabase Database { get; }

    public TestIssuer Issuer { get; }

    public ControlHost Host { get; }

    public DriftService.DriftServiceClient Drift => new(Host.Channel());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static Task<DriftWorld> OfGitAsync(string location, params (string Key, string Value)[] more) => StartAsync("git", location, more);

    public static Task<DriftWorld> OfDirectoryAsync(string location, params (string Key, string Value)[] more) => StartAsync("directory", location, more);

    /// <summary>The store's settings, and that it is looked at only when somebody asks.</summary>
    public static (string Key, string Value)[] Settings(string kind, string location, params (string Key, string Value)[] more)
    {
        var settings = new Dictionary<string, string>
        {
            ["Drift:SyncEvery"] = "1.00:00:00", ["Drift:LookEvery"] = "00:00:00.05", [Key("Tenant")] = "acme", [Key("Environment")] = "dev", [Key("Kind")] = kind, [Key("Location")] = location,
            // Most tests need a job that is not as the store has it, and make it by applying; AppliedWriteTests are of what is written then.
            [Key("WritesApplied")] = "false",
        };
        foreach (var (name, value) in more)
            settings[name.StartsWith("Drift:", StringComparison.Ordinal) || name.StartsWith("Alerts:", StringComparison.Ordinal) ? name : Key(name)] = value;
        return [.. settings.Select(one => (one.Key, one.Value))];
    }

    public static async Task<DriftWorld> StartAsync(string kind, string location, params (string Key, string Value)[] more)
    {
        var (database, issuer) = (await PostgresFixture.CreateDatabaseAsync(Token), await TestIssuer.SharedAsync());
        var host = await ControlHost.StartAsync(database, issuer, Settings(kind, location, more));
        await host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        return new DriftWorld(database, issuer, host);
    }

    /// <summary>A pass from beginning to end, after now.</summary>
    public async Task<ArtifactStore> SyncAsync(bool readAll = false, string store = Store)
    {
        var asked = await Drift.SyncStoreAsync(new SyncStoreRequest { Store = store, ReadAll = readAll }, cancellationToken: Token);
        return await UntilAsync(store, now => now.PassStartedAt is { } started && started.ToDateTimeOffset() >= asked.AskedAt.ToDateTimeOffset());
    }

    public Task<ArtifactStore> UntilAsync(string store, Func<ArtifactStore, bool> holds) => Eventually.ComesAsync($"the pass over {store}", async token =>
        (await Drift.ListStoresAsync(new ListStoresRequest { Store = store }, cancellationToken: token)).Stores.Single() is var now && holds(now) ? now : null);

    public async Task<long> ApplyAsync(string jobId, string cron = "*/15 * * * *") =>
        (await Host.Jobs().CreateJobAsync(new CreateJobRequest { Content = SampleTexts.Simple(jobId, cron) }, cancellationToken: Token)).BindingId;

    public async Task RebindAsync(long bindingId, string jobId, string cron) =>
        await Host.Jobs().UpdateJobAsync(new UpdateJobRequest { BindingId = bindingId, Content = SampleTexts.Simple(jobId, cron) }, cancellationToken: Token);

    public async Task<ReconcileJobResponse> ReconcileAsync(string jobId, string direction, string storeHash = "", string path = "", string reason = "", bool validateOnly = false) => await Drift.ReconcileJobAsync(
        new ReconcileJobRequest { Tenant = "acme", Environment = "dev", JobId = jobId, Direction = direction, StoreHash = storeHash, Path = path, Reason = reason, ValidateOnly = validateOnly }, cancellationToken: Token);

    public async Task<JobDrift> OfAsync(string jobId) => await Drift.GetDriftAsync(new GetDriftRequest { Tenant = "acme", Environment = "dev", JobId = jobId }, cancellationToken: Token);

    public async Task<string> StateAsync(string jobId) => (await OfAsync(jobId)).Entry.State;

    /// <summary>What is listed, as <c>job state</c>.</summary>
    public async Task<IReadOnlyList<string>> ListAsync(string state = "") =>
        [.. (await Drift.ListDriftAsync(new ListDriftRequest { State = state }, cancellationToken: Token)).Entries.Select(entry => $"{(entry.JobId.Length > 0 ? entry.JobId : entry.Path)} {entry.State}")];

    public async Task<T?> ScalarAsync<T>(string sql)
    {
        await using var connection = await Database.OpenAsync(Token);
        return await connection.ExecuteScalarAsync<T>(sql);
    }

    public async ValueTask DisposeAsync()
    {
        // What a test did not expect stands in the node's log.
        foreach (var line in Host.Logs.Lines.Where(line => line.StartsWith("Error", StringComparison.Ordinal)))
            await Console.Error.WriteLineAsync(line);
        await Host.DisposeAsync();
        await InvariantCheck.HoldAsync(Database);
        await Database.DisposeAsync();
    }

    private static string Key(string name) => $"Drift:Stores:{Store}:{name}";
}
