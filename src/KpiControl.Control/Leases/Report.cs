using System.Security.Cryptography;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Jobs.Runs;
using KpiControl.Jobs.Sla;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Leases;

/// <summary>An agent's report as it arrived, with what of it can be trusted to be well formed.</summary>
/// <param name="Digest">Over the bytes as they were sent.</param>
/// <param name="Bytes">How many were sent.</param>
/// <param name="AsSent">These bytes, where <paramref name="Finished"/> does not hold all that they say.</param>
internal sealed record Report(AgentSession Session, Finished Finished, Guid Attempt, byte[] Digest, int Bytes, ByteString? AsSent = null)
{
    private const int LongestText = 8_000;
    private static readonly string[] Statuses =
        [RunStatus.Success, RunStatus.Partial, RunStatus.Failed, RunStatus.Suppressed, RunStatus.Skipped, RunStatus.Cancelled];

    /// <summary>Null where the message cannot be a report: no attempt, no fence, no known status.</summary>
    public static Report? From(AgentSession session, Finished finished, ByteString bytes) =>
        Guid.TryParse(finished.AttemptId, out var attempt) && finished.Fence is { Number: > 0 } && finished.BindingId > 0 && Statuses.Contains(finished.Status)
            ? new Report(session, finished, attempt, SHA256.HashData(bytes.Span), bytes.Length, ReportForm.Mend(finished) ? bytes : null)
            : null;

    public FinishedAck Answer(FinishedAck.Types.Outcome outcome, string detail = "") => new() { AttemptId = Finished.AttemptId, Outcome = outcome, Detail = detail };

    public AttemptOutcome Outcome => new(Finished.Status, Finished.ErrorCode.Length > 0 ? Finished.ErrorCode : null, RetryAfter);

    /// <param name="facts">What stood around the attempt; null with <paramref name="held"/>: the report only asks how it stands.</param>
    public Completion ToCompletion(Disposition? disposition, GrantedAttempt? held, RunFacts? facts) => new()
    {
        Built = disposition is null || held is null ? [] : BuiltTable.Of(this, held), Slowness = Slowness(held), DeliverBy = DeliverBy(held),
        GoodThrough = disposition?.Status is { } status ? GoodThrough(status, held) : null,
        BindingId = Finished.BindingId, Attempt = Attempt, FenceEpoch = Finished.Fence.Epoch, FenceNumber = Finished.Fence.Number, Reporter = Session.Id,
        Status = disposition?.Status ?? Finished.Status, Reason = disposition?.Reason, ErrorCategory = Text(Finished.ErrorCategory), ErrorCode = Text(Finished.ErrorCode),
        ErrorMessage = Text(Finished.ErrorMessage), StartedAt = Instant(Finished.StartedAt), FinishedAt = Instant(Finished.FinishedAt),
        RowsProcessed = Math.Max(0, Finished.RowsProcessed), DataPoints = Math.Max(0, Finished.DataPoints), Digest = Digest, RetryIn = disposition?.RetryIn,
        Document = held is null || facts is null ? null : RunDocument.OfRun(this, held, facts, Slowness(held), DeliverBy(held)), ZoneVersion = held?.Plan.ZoneVersion,
    };

    public DateTimeOffset? Began => Instant(Finished.StartedAt);

    private SlaState? Slowness(GrantedAttempt? held) => held is null or { IsPromised: false } || Took is not { } took ? null : RunPromise.Latency(held.Plan.Job.Sla, took);

    private static DateTimeOffset? DeliverBy(GrantedAttempt? held) => held is { IsPromised: true, Plan: { } plan } ? RunPromise.DeliverBy(plan.Job.Sla, plan.Schedule, held.ScheduledFor) : null;

    // Both by the agent's clock; the stored instants are not needed for a difference.
    private TimeSpan? Took => Instant(Finished.FinishedAt) - Instant(Finished.StartedAt) is { } took && took >= TimeSpan.Zero ? took : null;

    private static DateTimeOffset? GoodThrough(string status, GrantedAttempt? held) =>
        held is { IsPromised: true, Plan: { Job: { Sla: { } sla } job } plan } && (sla.Freshness is not null || sla.Availability is not null) && RunPromise.IsGood(status, job.Run.OnRuleFail)
            ? RunPromise.GoodThrough(plan.Schedule, held.ScheduledFor, held.BusinessDate, job.Dependencies.BusinessDate)
            : null;

    private TimeSpan? RetryAfter => Finished.RetryAfter is { Seconds: >= 0 and < 7 * 86_400 } after ? TimeSpan.FromSeconds(after.Seconds) : null;

    // PostgreSQL's text has no NUL, and one agent's must not fail a batch of many.
    private static string? Text(string text) => text.Length == 0 ? null : (text.Length > LongestText ? text[..LongestText] : text).Replace('\0', '\ufffd');

    private static DateTimeOffset? Instant(Timestamp? at) => at is { Seconds: > -62_135_596_800 and < 253_402_300_800, Nanos: >= 0 and < 1_000_000_000 } ? at.ToDateTimeOffset() : null;
}
