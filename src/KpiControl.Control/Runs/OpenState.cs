using System.Globalization;
using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Leases;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Runs;

/// <summary>An open occurrence of a binding that is watched: the one in its row, or one that stands aside.</summary>
internal sealed record OpenState
{
    private static readonly JsonSerializerOptions AsStored = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public DateTimeOffset OccScheduledFor { get; init; }
    public DateTimeOffset? OccWindowStart { get; init; }
    public DateOnly? OccBusinessDate { get; init; }
    public string OccKind { get; init; } = "";
    public short? OccReason { get; init; }
    public string OccState { get; init; } = "";
    public DateTimeOffset? OccRetryAt { get; init; }
    public int RetryCount { get; init; }
    public Guid? AttemptId { get; init; }
    public string? Agent { get; init; }

    public static OpenState InRow(JobState job) => new()
    {
        OccScheduledFor = job.OccScheduledFor!.Value, OccWindowStart = job.OccWindowStart, OccBusinessDate = job.OccBusinessDate, OccKind = job.OccKind!, OccReason = job.OccReason,
        OccState = job.OccState!, OccRetryAt = job.OccRetryAt, RetryCount = job.RetryCount, AttemptId = job.AttemptId, Agent = job.Agent,
    };

    public static IEnumerable<OpenState> Aside(string? json) => json is null ? [] : JsonSerializer.Deserialize<List<OpenState>>(json, AsStored) ?? [];

    public Occurrence ToProto() => new()
    {
        SlotKey = new SlotKey(OccKind, OccScheduledFor).ToString(), ScheduledFor = Time(OccScheduledFor), WindowStart = Time(OccWindowStart),
        BusinessDate = OccBusinessDate?.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture) ?? "",
        State = OccState switch { "W" => "waiting", "R" => "ready", _ => "leased" }, Reason = Occurrences.ReasonWord(OccReason), TriggerKind = OccKind,
        TryNumber = RetryCount + 1, AttemptId = AttemptId?.ToString() ?? "", Agent = Agent ?? "", RetryAt = Time(OccRetryAt),
    };

    private static Timestamp? Time(DateTimeOffset? instant) => instant is { } at ? Timestamp.FromDateTimeOffset(at) : null;
}
