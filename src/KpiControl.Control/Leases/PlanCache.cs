using System.Collections.Concurrent;
using System.Text;
using KpiControl.Control.Overrides;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;
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
    private const int MostPlans = 200_000;

    private readonly ConcurrentDictionary<PlanKey, BindingPlan> _plans = new();
    // A fleet has few definitions and many bindings: what was parsed once is shared.
    private readonly ConcurrentDictionary<string, JobArtifact> _artifacts = new();
    private readonly ConcurrentDictionary<string, KnownContract> _contracts = new();
    private readonly ConcurrentDictionary<string, WorkCalendar> _calendars = new();
    private readonly ConcurrentDictionary<(string ContentHash, string ContractDigest), KpiCall> _calls = new();
    private readonly ConcurrentDictionary<ScheduleKey, JobSchedule> _schedules = new();

    /// <summary>The rows with their plans, in their order; one whose plan cannot be understood is left out, logged, and stops nobody else.</summary>
    public async ValueTask<IReadOnlyList<(TRow Row, BindingPlan Plan)>> PlannedAsync<TRow>(IReadOnlyList<TRow> rows, Func<TRow, PlanKey> keyOf, CancellationToken token)
    {
        var planned = new List<(TRow, BindingPlan)>(rows.Count);
        var loaded = rows.Select(keyOf).Where(key => !_plans.ContainsKey(key)).Distinct().ToList() is { Count: > 0 } missing ? await LoadAsync(missing, token) : null;
        foreach (var row in rows)
            if (keyOf(row) is var key && (_plans.TryGetValue(key, out var plan) || loaded?.TryGetValue(key, out plan) == true))
                planned.Add((row, plan));
        return planned;
    }

    private async Task<Dictionary<PlanKey, BindingPlan>> LoadAsync(IReadOnlyCollection<PlanKey> keys, CancellationToken token)
    {
        Bound();
        var rows = await store.LoadAsync(keys, token);
        await LearnTextsAsync(rows, token);
        var loaded = new Dictionary<PlanKey, BindingPlan>(rows.Count);
        foreach (var row in rows)
            if (Understand(row) is { } plan)
                loaded[new PlanKey(row.BindingId, row.Revision)] = _plans[new PlanKey(row.BindingId, row.Revision)] = plan;
        return loaded;
    }

    private async Task LearnTextsAsync(IReadOnlyList<PlanRow> rows, CancellationToken token)
    {
        var hashes = rows.Select(row => row.ContentHash).Distinct().Where(hash => !_artifacts.ContainsKey(hash)).ToArray();
        var digests = rows.Select(row => row.ContractDigest).Distinct().Where(digest => !_contracts.ContainsKey(digest)).ToArray();
        var calendars = rows.Select(row => row.CalendarDigest).OfType<string>().Distinct().Where(digest => !_calendars.ContainsKey(digest)).ToArray();
        if (hashes.Length + digests.Length + calendars.Length == 0)
            return;
        var texts = await store.TextsAsync(hashes, digests, calendars, [.. rows.Select(row => row.TenantId).Distinct()], token);
        foreach (var hash in hashes.Where(texts.ContainsKey))
            if (ArtifactReader.Read(Encoding.UTF8.GetBytes(texts[hash]), ArtifactFormat.Json) is { } reading)
                if (reading.Job is { } job)
                    _artifacts[hash] = job;
                else
                    Log.BadText(logger, hash, reading.Findings is [var first, ..] ? first.Message : "");
        foreach (var digest in digests.Where(texts.ContainsKey))
            if (ContractReader.Read(Encoding.UTF8.GetBytes(texts[digest]), ArtifactFormat.Json) is { } reading)
                if (reading.Contract is { } contract)
                    _contracts[digest] = new KnownContract(contract, texts[digest]);
                else
                    Log.BadText(logger, digest, reading.Findings is [var first, ..] ? first.Message : "");
        foreach (var digest in calendars.Where(texts.ContainsKey))
            if (CalendarReader.Read(Encoding.UTF8.GetBytes(texts[digest]), ArtifactFormat.Json) is { } reading)
                if (reading.Calendar is { } calendar)
                    _calendars[digest] = calendar;
                else
                    Log.BadText(logger, digest, reading.Findings is [var first, ..] ? first.Message : "");
    }

    private BindingPlan? Understand(PlanRow row)
    {
        if (!_artifacts.TryGetValue(row.ContentHash, out var job) || !_contracts.TryGetValue(row.ContractDigest, out var contract))
            return null;
        var spec = row.ScheduleCron.Length > 0
            ? job.Schedule with { Type = "cron", Expression = row.ScheduleCron, Timezone = row.Timezone }
            : job.Schedule with { Timezone = row.Timezone };
        var overrides = OverrideList.Read(row.OverridesJson);
        if (overrides.Schedule(spec, one => Schedule(one, row)) is not { } schedule)
            return null;
        return new BindingPlan
        {
            BindingId = row.BindingId, Revision = row.Revision, Tenant = row.TenantId, Environment = row.Environment, Region = row.Region,
            ContentHash = row.ContentHash, SchemaVersion = row.SchemaVersion, ContractDigest = row.ContractDigest, ZoneVersion = row.ZoneVersion,
            ContractJson = contract.Text, Tables = contract.Contract.GdpDependencies, Call = _calls.GetOrAdd((row.ContentHash, row.ContractDigest), _ => KpiCall.Of(job, contract.Contract)), Job = job with { Schedule = spec }, Schedule = schedule, CatchupLane = row.CatchupLane,
            Overrides = overrides,
            Approval = row.ChangeId is { } change ? new PlanApproval(change, row.ChangeDigest!, row.Approvers ?? []) : null,
        };
    }

    private JobSchedule? Schedule(JobScheduleSpec spec, PlanRow row)
    {
        // Only H and spread make two bindings of one expression differ.
        var isHashed = !spec.Expression.StartsWith('@') && spec.Expression.Contains('H', StringComparison.OrdinalIgnoreCase);
        var identity = spec.Spread is not null || isHashed ? Identity(row) : "";
        var key = new ScheduleKey(spec.Type + spec.Expression, spec.Timezone, spec.StartAt, spec.EndAt, spec.Spread, row.CalendarDigest, identity);
        if (_schedules.TryGetValue(key, out var known))
            return known;
        if (JobSchedule.TryCreate(spec, out var schedule, out var error, identity, row.CalendarDigest is { } digest ? _calendars.GetValueOrDefault(digest) : null))
            return _schedules[key] = schedule!;
        Log.BadSchedule(logger, row.BindingId, row.Revision, error ?? "");
        return null;
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
        _calendars.Clear();
        _calls.Clear();
        _schedules.Clear();
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 300, Level = LogLevel.Error, Message = "Binding {BindingId} revision {Revision} cannot be scheduled: {Error}")]
        public static partial void BadSchedule(ILogger logger, long bindingId, int revision, string error);

        [LoggerMessage(EventId = 301, Level = LogLevel.Error, Message = "The stored definition, contract or calendar {Digest} cannot be read: {Error}")]
        public static partial void BadText(ILogger logger, string digest, string error);
    }
}

/// <summary>What a schedule's slots depend on.</summary>
internal readonly record struct ScheduleKey(string Cron, string Zone, string? StartAt, string? EndAt, TimeSpan? Spread, string? CalendarDigest, string Identity);

/// <summary>A contract, understood and as it is sent.</summary>
internal sealed record KnownContract(MetricContract Contract, string Text);
