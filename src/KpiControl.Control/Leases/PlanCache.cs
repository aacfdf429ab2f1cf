using System.Collections.Concurrent;
using System.Text;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calls;
using KpiControl.Jobs.Contracts;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Control.Leases;

/// <summary>
/// Plans of this node, by binding and revision: a revision never changes, so nothing is ever invalidated. Bounded by
/// starting over, which costs one read a plan and needs no bookkeeping on the way.
/// </summary>
internal sealed partial class PlanCache(PlanStore store, ILogger<PlanCache> logger)
{
    private const int MostPlans = 50_000;

    private readonly ConcurrentDictionary<PlanKey, BindingPlan> _plans = new();
    // A fleet has few definitions and many bindings: what was parsed once is shared.
    private readonly ConcurrentDictionary<string, JobArtifact> _artifacts = new();
    private readonly ConcurrentDictionary<string, MetricContract> _contracts = new();

    public BindingPlan? Find(long bindingId, int revision) => _plans.GetValueOrDefault(new PlanKey(bindingId, revision));

    /// <summary>The plans of these revisions; one that cannot be understood is left out, logged, and stops nobody else.</summary>
    public async Task<IReadOnlyDictionary<PlanKey, BindingPlan>> GetAsync(IEnumerable<PlanKey> keys, CancellationToken token)
    {
        var found = new Dictionary<PlanKey, BindingPlan>();
        var missing = new List<PlanKey>();
        foreach (var key in keys.Distinct())
            if (_plans.TryGetValue(key, out var plan))
                found[key] = plan;
            else
                missing.Add(key);
        if (missing.Count == 0)
            return found;
        Bound();
        foreach (var row in await store.LoadAsync(missing, token))
            if (Understand(row) is { } plan)
                found[new PlanKey(row.BindingId, row.Revision)] = _plans[new PlanKey(row.BindingId, row.Revision)] = plan;
        return found;
    }

    private BindingPlan? Understand(PlanRow row)
    {
        if (Artifact(row) is not { } job || Contract(row) is not { } contract)
            return null;
        var spec = row.ScheduleCron.Length > 0
            ? job.Schedule with { Type = "cron", Expression = row.ScheduleCron, Timezone = row.Timezone }
            : job.Schedule with { Timezone = row.Timezone };
        if (!JobSchedule.TryCreate(spec, out var schedule, out var error, Identity(row)))
        {
            Log.BadSchedule(logger, row.BindingId, row.Revision, error ?? "");
            return null;
        }
        return new BindingPlan
        {
            BindingId = row.BindingId, Revision = row.Revision, Tenant = row.TenantId, Environment = row.Environment, Region = row.Region,
            ContentHash = row.ContentHash, SchemaVersion = row.SchemaVersion, ContractDigest = row.ContractDigest, ZoneVersion = row.ZoneVersion,
            ContractJson = row.ContractJson, Call = KpiCall.Of(job, contract), Job = job with { Schedule = spec }, Schedule = schedule!, CatchupLane = row.CatchupLane,
        };
    }

    private JobArtifact? Artifact(PlanRow row)
    {
        if (_artifacts.TryGetValue(row.ContentHash, out var known))
            return known;
        var reading = ArtifactReader.Read(Encoding.UTF8.GetBytes(row.CanonicalJson), ArtifactFormat.Json);
        if (reading.Job is null)
        {
            Log.BadDefinition(logger, row.BindingId, row.ContentHash, reading.Findings is [var first, ..] ? first.Message : "");
            return null;
        }
        return _artifacts[row.ContentHash] = reading.Job;
    }

    private MetricContract? Contract(PlanRow row)
    {
        if (_contracts.TryGetValue(row.ContractDigest, out var known))
            return known;
        var reading = ContractReader.Read(Encoding.UTF8.GetBytes(row.ContractJson), ArtifactFormat.Json);
        if (reading.Contract is null)
        {
            Log.BadDefinition(logger, row.BindingId, row.ContractDigest, reading.Findings is [var first, ..] ? first.Message : "");
            return null;
        }
        return _contracts[row.ContractDigest] = reading.Contract;
    }

    // What H in an expression is a hash of; JobService previews with the same.
    internal static string Identity(PlanRow row) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{row.BindingId}");

    private void Bound()
    {
        if (_plans.Count < MostPlans)
            return;
        _plans.Clear();
        _artifacts.Clear();
        _contracts.Clear();
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 300, Level = LogLevel.Error, Message = "Binding {BindingId} revision {Revision} cannot be scheduled: {Error}")]
        public static partial void BadSchedule(ILogger logger, long bindingId, int revision, string error);

        [LoggerMessage(EventId = 301, Level = LogLevel.Error, Message = "Binding {BindingId}: definition or contract {ContentHash} cannot be read: {Error}")]
        public static partial void BadDefinition(ILogger logger, long bindingId, string contentHash, string error);
    }
}
