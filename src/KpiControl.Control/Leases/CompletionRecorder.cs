using System.Collections.Immutable;
using System.Security.Cryptography;
using KpiControl.Control.Provenance;
using KpiControl.Control.Signals;
using KpiControl.Jobs.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Leases;

/// <summary>Decides what follows each report, records the batch, and answers.</summary>
internal sealed class CompletionRecorder(
    CompletionStore store, RunFactsStore surroundings, ReclaimStore reclaim, PlanCache plans, Dispatcher dispatcher, SuccessAnnouncer successes,
    SourceIndex sources, LeaseMetrics metrics)
{
    public async Task RecordAsync(IReadOnlyList<Report> reports, CancellationToken token)
    {
        var decided = await DecideAsync(reports, token);
        decided.Sort((a, b) => a.Completion.BindingId.CompareTo(b.Completion.BindingId));
        var recorded = await store.CompleteAsync([.. decided.Select(d => d.Completion)], token);
        var answers = new List<(Report Report, FinishedAck Ack)>(decided.Count);
        var others = new List<DecidedReport>();
        for (var i = 0; i < decided.Count; i++)
            if (recorded[i] is not null)
            {
                answers.Add((decided[i].Report, decided[i].Report.Answer(FinishedAck.Types.Outcome.Recorded)));
                metrics.Recorded(decided[i].Report.Session.Region, decided[i].Completion.Status);
            }
            else
                others.Add(decided[i]);
        if (others.Count > 0)
            answers.AddRange(await StandAsync(others, token));
        Answer(answers);
        Follow(recorded);
    }

    /// <summary>For a report that cannot be recorded: it is kept as evidence, and its occurrence goes to another attempt.</summary>
    public async Task RefuseAsync(Report report, CancellationToken token)
    {
        const string Why = "The report could not be stored; the control plane's log says why.";
        var standing = (await store.StandingAsync([report.ToCompletion(null, null, null)], token)).Single();
        if (Concerns(standing))
            await store.KeepAsync([(standing, "refused", RunDocument.OfKept(report, Why))], token);
        await store.SettleAsync(token);
        // Lost, not returned: it ran, and one whose report never can be stored must not run for ever.
        dispatcher.CameBack(await reclaim.LoseAsync(report.Session.Id, report.Attempt, token));
        Answer([(report, report.Answer(FinishedAck.Types.Outcome.Refused, Why))]);
    }

    private async Task<List<DecidedReport>> DecideAsync(IReadOnlyList<Report> reports, CancellationToken token)
    {
        var foundElsewhere = await FindAsync(reports, token);
        var held = reports.Select(report => report.Session.Held.GetValueOrDefault(report.Attempt) ?? foundElsewhere?.GetValueOrDefault(report.Attempt)).ToList();
        var lastGood = await LastGoodAsync(reports, held, token);
        var facts = await FactsAsync(reports, held, token);
        var (decided, taken) = (new List<DecidedReport>(reports.Count), new List<TakenSources>());
        foreach (var (report, attempt) in reports.Zip(held))
        {
            // Another region's work is not this session's to report: the fence alone will not be asked.
            var foreign = attempt is not null && attempt.Plan.Region != report.Session.Region;
            var disposition = attempt is null || foreign ? null : Decide(report, attempt, lastGood.Contains(attempt.Plan.BindingId));
            var completion = report.ToCompletion(disposition, attempt, facts.GetValueOrDefault(report.Attempt));
            if (disposition?.Waits == true)
                completion = completion with { Waits = true, RetryIn = attempt!.Plan.Job.Retry.Initial, GivesUpAt = attempt.Plan.GivesUpAt(attempt.ScheduledFor, AttemptId.GrantedAt(report.Attempt)) };
            if (disposition?.Status is RunStatus.Success or RunStatus.Partial)
                taken.Add(TakenSources.Of(attempt!.Plan, report, facts[report.Attempt]));
            decided.Add(new DecidedReport(report, foreign ? completion with { FenceNumber = 0 } : completion));
        }
        await sources.NoteAsync(taken, token);
        return decided;
    }

    private static Disposition Decide(Report report, GrantedAttempt held, bool hasLastGood)
    {
        var (outcome, job) = (report.Outcome, held.Plan.Job);
        var jitter = outcome.Status == RunStatus.Success ? 0 : RandomNumberGenerator.GetInt32(1 << 20) / (double)(1 << 20);
        return Disposition.Of(outcome, new RetryState(job.Retry, held.RetriesUsed, job.Run.OnRuleFail, hasLastGood, jitter));
    }

    private async Task<Dictionary<Guid, RunFacts>> FactsAsync(IReadOnlyList<Report> reports, List<GrantedAttempt?> held, CancellationToken token)
    {
        var known = reports.Zip(held).Where(r => r.Second is not null).DistinctBy(r => r.First.Attempt).ToList();
        var facts = await surroundings.OfAsync([.. known.Select(r => new RunAsked(r.First.Attempt, r.Second!.Plan, r.First.Finished.Fence.Number, r.Second.BusinessDate, r.Second.ScheduledFor, r.Second.Kind, r.First.Began))], token);
        return known.Zip(facts).ToDictionary(r => r.First.First.Attempt, r => r.Second);
    }

    // Of those alone that could fall back on it, and in one question: a source that is down fails many jobs at once.
    private async ValueTask<IReadOnlySet<long>> LastGoodAsync(IReadOnlyList<Report> reports, List<GrantedAttempt?> held, CancellationToken token)
    {
        var failed = reports.Zip(held).Where(r => r.Second?.Plan.Job.Run.OnRuleFail == "last_good" && r.First.Outcome.ErrorCode is { } code
            && RunErrors.Of(code).Handling == ErrorHandling.RetryThenLastGood).Select(r => r.Second!.Plan.BindingId).ToArray();
        return failed.Length == 0 ? ImmutableHashSet<long>.Empty : await store.WithLastGoodAsync(failed, token);
    }

    // What this node granted it remembers; a session that moved here reports attempts that are looked up.
    private async ValueTask<Dictionary<Guid, GrantedAttempt>?> FindAsync(IReadOnlyList<Report> reports, CancellationToken token)
    {
        HashSet<(long, Guid)>? unknown = null;
        foreach (var report in reports)
            if (!report.Session.Held.ContainsKey(report.Attempt))
                (unknown ??= []).Add((report.Finished.BindingId, report.Attempt));
        if (unknown is null)
            return null;
        var attempts = await store.LookUpAsync([.. unknown], token);
        var found = await plans.PlannedAsync(attempts, attempt => attempt.Plan, token);
        // Without its plan nobody knows whether it may be tried again.
        if (found.Count < attempts.Count)
            throw new InvalidOperationException($"The plan of binding {attempts.Select(a => a.Plan).Except(found.Select(f => f.Row.Plan)).First().BindingId} cannot be read.");
        return found.ToDictionary(f => f.Row.Attempt, f => new GrantedAttempt(f.Plan, f.Row.RetriesUsed, f.Row.BusinessDate, f.Row.ScheduledFor, f.Row.Kind));
    }

    private async Task<List<(Report, FinishedAck)>> StandAsync(List<DecidedReport> others, CancellationToken token)
    {
        var standings = await store.StandingAsync([.. others.Select(o => o.Completion)], token);
        var byReport = new Dictionary<Completion, Report>(others.Select(o => KeyValuePair.Create(o.Completion, o.Report)), ReferenceEqualityComparer.Instance);
        var answers = new List<(Report, FinishedAck)>(others.Count);
        var kept = new List<(Standing, string, string)>();
        foreach (var standing in standings)
        {
            var report = byReport[standing.Report];
            var ack = Judge(standing, report);
            answers.Add((report, ack));
            if (Concerns(standing) && ack.Outcome is (FinishedAck.Types.Outcome.Stale or FinishedAck.Types.Outcome.Refused))
                kept.Add((standing, ack.Outcome == FinishedAck.Types.Outcome.Stale ? "stale_fence" : "refused", RunDocument.OfKept(report, ack.Detail)));
        }
        // Evidence before the answer: an agent that is told to forget must be able to.
        if (kept.Count > 0)
            await store.KeepAsync(kept, token);
        if (kept.Count > 0 || answers.Exists(answer => answer.Item2.Outcome == FinishedAck.Types.Outcome.AlreadyRecorded))
            await store.SettleAsync(token);
        return answers;
    }

    private static FinishedAck Judge(Standing standing, Report report)
    {
        var ack = report.Answer(default);
        (ack.Outcome, ack.Detail) = (standing.RecordedDigest, Concerns(standing)) switch
        {
            (_, false) => (FinishedAck.Types.Outcome.Refused, "No such attempt."),
            ({ } digest, _) when digest.AsSpan().SequenceEqual(report.Digest) => (FinishedAck.Types.Outcome.AlreadyRecorded, ""),
            ({ }, _) => (FinishedAck.Types.Outcome.Refused, "The attempt was reported before with another content."),
            _ => (FinishedAck.Types.Outcome.Stale, "The occurrence has moved on: the lease was lost, cancelled or taken by another attempt."),
        };
        if (Concerns(standing) && standing.FenceNumber > 0)
            ack.CurrentFence = new Fence { Epoch = standing.FenceEpoch, Number = standing.FenceNumber };
        return ack;
    }

    // Another tenant's or region's work: answered as if it were not there.
    private static bool Concerns(Standing standing) => standing.Tenant is not null && standing.Report.FenceNumber > 0;

    private void Answer(List<(Report Report, FinishedAck Ack)> answers)
    {
        foreach (var group in answers.GroupBy(a => a.Report.Session))
        {
            foreach (var (report, ack) in group)
            {
                group.Key.Forget(report.Attempt);
                if (ack.Outcome != FinishedAck.Types.Outcome.Recorded)
                    metrics.NotRecorded(group.Key.Region, ack.Outcome.ToString().ToLowerInvariant());
            }
            group.Key.Acknowledge(group.Select(a => a.Ack));
        }
    }

    private void Follow(IReadOnlyList<RecordedCompletion?> recorded)
    {
        foreach (var completion in recorded.OfType<RecordedCompletion>())
        {
            successes.Announce(completion.Completion.Built);
            if (completion.MoreQueued)
                dispatcher.QueuedBehind(completion.Lane);
            if (!completion.Final)
            {
                dispatcher.Ready(completion.Lane);
                if (completion.StoodAside)
                    dispatcher.Aside(completion.Lane);
            }
            else if (completion.Completion.Status is RunStatus.Success or RunStatus.Partial)
                successes.Announce(completion.Completion.BindingId);
        }
    }

    private readonly record struct DecidedReport(Report Report, Completion Completion);
}
