using System.Security.Cryptography;
using KpiControl.Control.Signals;
using KpiControl.Jobs.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Leases;

/// <summary>Decides what follows each report, records the batch, and answers.</summary>
internal sealed class CompletionRecorder(CompletionStore store, PlanCache plans, Dispatcher dispatcher, SuccessAnnouncer successes)
{
    public async Task RecordAsync(IReadOnlyList<Report> reports, CancellationToken token)
    {
        var decided = await DecideAsync(reports, token);
        var completions = decided.Select(d => d.Completion).OrderBy(c => c.BindingId).ToList();
        var recorded = await store.CompleteAsync(completions, token);
        var done = new HashSet<Completion>(recorded.Select(r => r.Completion), ReferenceEqualityComparer.Instance);
        var others = decided.Where(d => !done.Contains(d.Completion)).ToList();
        var answers = decided.Where(d => done.Contains(d.Completion))
            .Select(d => (d.Report, Ack: new FinishedAck { AttemptId = d.Report.Finished.AttemptId, Outcome = FinishedAck.Types.Outcome.Recorded })).ToList();
        if (others.Count > 0)
            answers.AddRange(await StandAsync(others, token));
        Answer(answers);
        Follow(recorded);
    }

    private async Task<List<(Report Report, Completion Completion)>> DecideAsync(IReadOnlyList<Report> reports, CancellationToken token)
    {
        var held = await HeldAsync(reports, token);
        var known = await plans.GetAsync(held.Values.Select(h => new PlanKey(h.BindingId, h.Revision)), token);
        var decided = new List<(Report, Completion)>(reports.Count);
        foreach (var report in reports)
        {
            var plan = held.TryGetValue(report.Attempt, out var attempt) ? known.GetValueOrDefault(new PlanKey(attempt.BindingId, attempt.Revision)) : null;
            // Another region's work is not this session's to report: the fence alone will not be asked.
            var foreign = plan is not null && plan.Region != report.Session.Region;
            var disposition = plan is null || foreign ? null : await DispositionAsync(report, plan, attempt, token);
            var completion = report.ToCompletion(disposition, plan, plan is null ? null : attempt);
            if (disposition?.Waits == true)
                completion = completion with { Waits = true, RetryIn = plan!.Job.Retry.Initial, GivesUpAt = plan.GivesUpAt(attempt.ScheduledFor) };
            decided.Add((report, foreign ? completion with { FenceNumber = 0 } : completion));
        }
        return decided;
    }

    private async Task<Disposition> DispositionAsync(Report report, BindingPlan plan, HeldAttempt attempt, CancellationToken token)
    {
        var fallsBack = plan.Job.Run.OnRuleFail == "last_good" && report.Outcome.ErrorCode is { } code
            && RunErrors.Of(code).Handling == ErrorHandling.RetryThenLastGood && await store.HasLastGoodAsync(plan.BindingId, token);
        var jitter = RandomNumberGenerator.GetInt32(1 << 20) / (double)(1 << 20);
        return Disposition.Of(report.Outcome, new RetryState(plan.Job.Retry, attempt.RetriesUsed, plan.Job.Run.OnRuleFail, fallsBack, jitter));
    }

    // What this node granted it remembers; a session that moved here reports attempts that are looked up.
    private async Task<Dictionary<Guid, HeldAttempt>> HeldAsync(IReadOnlyList<Report> reports, CancellationToken token)
    {
        var held = new Dictionary<Guid, HeldAttempt>();
        var unknown = new List<(long, Guid)>();
        foreach (var report in reports)
            if (report.Session.Held.TryGetValue(report.Attempt, out var attempt))
                held[report.Attempt] = attempt;
            else
                unknown.Add((report.Finished.BindingId, report.Attempt));
        if (unknown.Count > 0)
            foreach (var (attempt, found) in await store.LookUpAsync(unknown, token))
                held[attempt] = found;
        return held;
    }

    private async Task<List<(Report, FinishedAck)>> StandAsync(List<(Report Report, Completion Completion)> others, CancellationToken token)
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
                kept.Add((standing, ack.Outcome == FinishedAck.Types.Outcome.Stale ? "stale_fence" : "refused", report.KeptDocument(ack.Detail)));
        }
        // Evidence before the answer: an agent that is told to forget must be able to.
        if (kept.Count > 0)
            await store.KeepAsync(kept, token);
        return answers;
    }

    private static FinishedAck Judge(Standing standing, Report report)
    {
        var ack = new FinishedAck { AttemptId = report.Finished.AttemptId };
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

    private static void Answer(List<(Report Report, FinishedAck Ack)> answers)
    {
        foreach (var group in answers.GroupBy(a => a.Report.Session))
        {
            var batch = new FinishedAckBatch();
            foreach (var (report, ack) in group)
            {
                group.Key.Held.TryRemove(report.Attempt, out _);
                batch.Acks.Add(ack);
            }
            group.Key.Send(new ControlMessage { FinishedAckBatch = batch });
        }
    }

    private void Follow(IReadOnlyList<RecordedCompletion> recorded)
    {
        foreach (var completion in recorded)
        {
            if (completion.MoreQueued)
                dispatcher.QueuedBehind((short)completion.Lane);
            if (!completion.Final)
                dispatcher.Ready((short)completion.Lane);
        }
        successes.Announce(recorded.Where(r => r.Final && r.Completion.Status is RunStatus.Success or RunStatus.Partial).Select(r => r.Completion.BindingId));
    }
}
