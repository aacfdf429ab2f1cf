using System.Security.Cryptography;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Jobs.Runs;
using KpiControl.Jobs.Sla;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Leases;

/// <summary>An agent's report as it arrived, with what of it can be trusted to be well formed.</summary>
internal sealed record Report(AgentSession Session, Finished Finished, Guid Attempt, byte[] Digest)
{
    private const int LongestText = 8_000;
    private static readonly string[] Statuses =
        [RunStatus.Success, RunStatus.Partial, RunStatus.Failed, RunStatus.Suppressed, RunStatus.Skipped, RunStatus.Cancelled];

    private static readonly JsonFormatter Json = new(JsonFormatter.Settings.Default.WithPreserveProtoFieldNames(true));

    /// <summary>Null where the message cannot be a report: no attempt, no fence, no known status.</summary>
    public static Report? From(AgentSession session, Finished finished, ByteString bytes) =>
        Guid.TryParse(finished.AttemptId, out var attempt) && finished.Fence is { Number: > 0 } && finished.BindingId > 0 && Statuses.Contains(finished.Status)
            ? new Report(session, finished, attempt, SHA256.HashData(bytes.Span))
            : null;

    public FinishedAck Answer(FinishedAck.Types.Outcome outcome, string detail = "") => new() { AttemptId = Finished.AttemptId, Outcome = outcome, Detail = detail };

    public AttemptOutcome Outcome => new(Finished.Status, Finished.ErrorCode.Length > 0 ? Finished.ErrorCode : null, RetryAfter);

    /// <summary>What the run said about itself beyond its row, or null where it said nothing.</summary>
    private string? Document(GrantedAttempt? held)
    {
        if (Finished.Lineage is null && Finished.Points.Count + Finished.Validations.Count + Finished.Stages.Count + Finished.Secrets.Count + Finished.Warnings.Count == 0)
            return null;
        return WithMembers(held, detail: null);
    }

    /// <summary>The whole report, for one that is kept without having changed anything.</summary>
    public string KeptDocument(string detail) => WithMembers(null, detail);

    public Completion ToCompletion(Disposition? disposition, GrantedAttempt? held) => new()
    {
        Slowness = held is null || Took is not { } took ? null : RunPromise.Latency(held.Plan.Job.Sla, took),
        DeliverBy = held?.Plan is { } plan ? RunPromise.DeliverBy(plan.Job.Sla, plan.Schedule, held.ScheduledFor) : null,
        GoodThrough = disposition?.Status is { } status ? GoodThrough(status, held) : null,
        BindingId = Finished.BindingId, Attempt = Attempt, FenceEpoch = Finished.Fence.Epoch, FenceNumber = Finished.Fence.Number, Reporter = Session.Id,
        Status = disposition?.Status ?? Finished.Status, Reason = disposition?.Reason, ErrorCategory = Text(Finished.ErrorCategory), ErrorCode = Text(Finished.ErrorCode),
        ErrorMessage = Text(Finished.ErrorMessage), StartedAt = Instant(Finished.StartedAt), FinishedAt = Instant(Finished.FinishedAt),
        RowsProcessed = Math.Max(0, Finished.RowsProcessed), DataPoints = Math.Max(0, Finished.DataPoints), Digest = Digest, RetryIn = disposition?.RetryIn,
        Document = Document(held), ZoneVersion = held?.Plan.ZoneVersion,
    };

    // Both by the agent's clock; the stored instants are not needed for a difference.
    private TimeSpan? Took => Instant(Finished.FinishedAt) - Instant(Finished.StartedAt) is { } took && took >= TimeSpan.Zero ? took : null;

    private static DateTimeOffset? GoodThrough(string status, GrantedAttempt? held) =>
        held is { Plan: { Job: { Sla: { } sla } job } plan } && (sla.Freshness is not null || sla.Availability is not null) && RunPromise.IsGood(status, job.Run.OnRuleFail)
            ? RunPromise.GoodThrough(plan.Schedule, held.ScheduledFor, held.BusinessDate, job.Dependencies.BusinessDate)
            : null;

    private TimeSpan? RetryAfter => Finished.RetryAfter is { Seconds: >= 0 and < 7 * 86_400 } after ? TimeSpan.FromSeconds(after.Seconds) : null;

    private string WithMembers(GrantedAttempt? held, string? detail)
    {
        var report = Json.Format(Finished);
        var members = new Struct();
        members.Fields.Add("agent", Value.ForString(Session.Opening.Agent));
        members.Fields.Add("session_id", Value.ForNumber(Session.Id.SessionId));
        if (detail is not null)
            members.Fields.Add("detail", Value.ForString(detail));
        if (held is { Plan: var plan } attempt)
        {
            members.Fields.Add("definition_hash", Value.ForString(plan.ContentHash));
            members.Fields.Add("contract_digest", Value.ForString(plan.ContractDigest));
            members.Fields.Add("schema_version", Value.ForString(plan.SchemaVersion));
            members.Fields.Add("call", Value.ForStruct(JsonParser.Default.Parse<Struct>(plan.Call.For(attempt.BusinessDate))));
        }
        // Both are objects: joined at the brace. PostgreSQL's jsonb has no NUL.
        return (report[..^1].TrimEnd() + ", " + Json.Format(members).TrimStart()[1..]).Replace("\\u0000", "\\ufffd", StringComparison.Ordinal);
    }

    // PostgreSQL's text has no NUL either, and one agent's must not fail a batch of many.
    private static string? Text(string text) => text.Length == 0 ? null : (text.Length > LongestText ? text[..LongestText] : text).Replace('\0', '\ufffd');

    private static DateTimeOffset? Instant(Timestamp? at) => at is { Seconds: > -62_135_596_800 and < 253_402_300_800, Nanos: >= 0 and < 1_000_000_000 } ? at.ToDateTimeOffset() : null;
}
