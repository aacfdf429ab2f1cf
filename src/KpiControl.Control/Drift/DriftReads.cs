using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Drift;

/// <summary>What people ask of drift.</summary>
internal static class DriftReads
{
    private const char Between = '\n';

    private static readonly string[] States = ["", "all", "in_sync", "pending_write", "drifted", "missing", "orphaned", "invalid", "unreadable", "overridden"];

    public static async Task<StoreRow> StoreAsync(RequestTransaction tx, string name, Verb verb)
    {
        var what = $"The store {RequestFields.Required("store", name)}";
        var store = await DriftStore.FindAsync(tx, name) ?? throw Reject.NotFound(what);
        tx.Demand(verb, store.TenantId, store.Environment, what);
        return store;
    }

    public static async Task<ListStoresResponse> ListStoresAsync(RequestTransaction tx, ListStoresRequest request)
    {
        var paging = Paging.Of(request);
        var scope = ReadScope.Of(tx.Caller, Verb.List);
        var rows = await DriftStore.PageAsync(tx, new
        {
            tenants = scope.Tenants, environments = scope.Environments, tenant = TenantOf(tx, request.Tenant), environment = EnvironmentOf(request.Environment), store = request.Store, after = paging.After ?? "", limit = paging.Size + 1,
        });
        var response = new ListStoresResponse { Stores = { rows.Take(paging.Size).Select(row => row.ToProto()) } };
        if (rows.Count > paging.Size)
            response.NextPageToken = Paging.Token(request, rows[paging.Size - 1].Store);
        return response;
    }

    public static async Task<ListDriftResponse> ListAsync(RequestTransaction tx, ListDriftRequest request)
    {
        if (!States.Contains(request.State))
            throw Reject.Invalid("state", $"is none of {string.Join(", ", States[1..])}; leave it out for all but in_sync");
        var paging = Paging.Of(request);
        var scope = ReadScope.Of(tx.Caller, Verb.List);
        var rows = await DriftStore.LinesAsync(tx, new
        {
            tenants = scope.Tenants, environments = scope.Environments, tenant = TenantOf(tx, request.Tenant), environment = EnvironmentOf(request.Environment), store = request.Store,
            state = request.State, after = paging.AfterParts(Between, 3), limit = paging.Size + 1,
        });
        var response = new ListDriftResponse { Entries = { rows.Take(paging.Size).Select(row => row.ToProto()) } };
        if (rows.Count > paging.Size && rows[paging.Size - 1] is var last)
            response.NextPageToken = Paging.Token(request, string.Join(Between, last.Store, last.JobId, last.BindingId is null ? last.Path : ""));
        return response;
    }

    public static async Task<JobDrift> GetAsync(RequestTransaction tx, GetDriftRequest request)
    {
        var binding = await BindingLookup.ResolveAsync(tx, new(request.BindingId, request.Tenant, request.Environment, request.JobId), Verb.Read);
        var row = await RowAsync(tx, binding);
        var ladder = await DriftStore.LadderAsync(tx, binding.BindingId, row.Store, row.Path);
        var store = await DriftStore.FindAsync(tx, row.Store) ?? throw new InvalidOperationException("A store that a job follows is gone.");
        var answer = new JobDrift { Entry = row.ToProto(), Store = store.ToProto(), Ladder = { Rungs(row, ladder) }, Write = (await WriteBackStore.LastAsync(tx, binding.BindingId))?.ToProto() };
        if (ladder.StoreContent is { } content && ArtifactReader.Read(content, FormatOf(ladder.StoreFormat)).CanonicalJson is { } canonical)
            answer.Differences.AddRange(ArtifactDiff.Between(ladder.BoundJson, canonical).Select(d => new FieldChange { Path = d.Path, Before = d.Before ?? "", After = d.After ?? "" }));
        return answer;
    }

    /// <summary>Of those jobs that follow a store, beside it.</summary>
    /// <param name="withLadder">Of one job: hash by hash.</param>
    public static async Task<IReadOnlyDictionary<long, StoreStanding>> StandingAsync(RequestTransaction tx, long[] bindings, bool withLadder)
    {
        var standing = new Dictionary<long, StoreStanding>();
        foreach (var row in await DriftStore.OfAsync(tx, bindings))
        {
            var stands = standing[row.BindingId!.Value] = new StoreStanding { Store = row.Store, State = row.State, Reason = DriftWords.Of(row), Since = DriftMapping.Since(row) };
            if (withLadder)
                stands.Ladder.AddRange(Rungs(row, await DriftStore.LadderAsync(tx, row.BindingId.Value, row.Store, row.Path)));
        }
        return standing;
    }

    public static async Task<DriftRow> RowAsync(RequestTransaction tx, Binding binding) => await DriftStore.OfAsync(tx, binding.BindingId)
        ?? throw Reject.Precondition("NO_STORE", binding.BindingId.ToString(CultureInfo.InvariantCulture),
            $"{binding.TenantId}/{binding.Environment}/{binding.JobId} follows no store: none that is configured for {binding.TenantId} in {binding.Environment} has had it, or none was read yet.");

    private static ArtifactFormat FormatOf(string? format) => format == "json" ? ArtifactFormat.Json : ArtifactFormat.Yaml;

    private static IEnumerable<HashRung> Rungs(DriftRow row, LadderRow ladder)
    {
        yield return new HashRung
        {
            Rung = "store", ContentHash = row.StoreHash ?? "", Where = row.Path is null ? $"{row.Store} has none" : row.StoreCommit is { } commit ? $"{row.Path} at {commit}" : row.Path, At = row.ChangedAt?.ToTimestamp(), Agrees = true,
        };
        yield return new HashRung { Rung = "definition", ContentHash = row.DefinitionHash, Where = "what is stored, hashed now", Agrees = row.DefinitionHash == row.StoreHash };
        yield return new HashRung { Rung = "binding", ContentHash = row.BoundHash, Where = Etags.Of(row.Revision), At = row.BoundAt?.ToTimestamp(), Agrees = row.BoundHash == row.DefinitionHash };
        yield return new HashRung
        {
            Rung = "last_run", ContentHash = ladder.RunHash ?? "", At = ladder.RunAt?.ToTimestamp(), Agrees = ladder.RunHash is null || ladder.RunHash == row.BoundHash,
            Where = ladder.RunId is { } run ? string.Create(CultureInfo.InvariantCulture, $"run/{run}, {Etags.Of(ladder.RunRevision!.Value)}") : "it never ran",
        };
    }

    private static string TenantOf(RequestTransaction tx, string tenant) => tenant.Length > 0 ? RequestFields.Tenant(tx.Caller, tenant, Verb.List) : "";

    private static string EnvironmentOf(string environment) => environment.Length > 0 ? RequestFields.Environment(environment) : "";
}
