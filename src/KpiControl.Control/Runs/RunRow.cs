using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Leases;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Runs;

/// <summary>A row of history with what it refers to.</summary>
internal sealed record RunRow
{
    public long RunId { get; init; }
    public DateTimeOffset RecordedAt { get; init; }
    public long BindingId { get; init; }
    public DateTimeOffset ScheduledFor { get; init; }
    public DateTimeOffset? WindowStart { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? FinishedAt { get; init; }
    public DateTimeOffset? SlotLast { get; init; }
    public long? RowsProcessed { get; init; }
    public int Revision { get; init; }
    public int RetrySeq { get; init; }
    public int? FenceEpoch { get; init; }
    public int? DataPoints { get; init; }
    public int SlotCount { get; init; }
    public DateOnly BusinessDate { get; init; }
    public bool Final { get; init; }
    public bool? SlaBreached { get; init; }
    public Guid? AttemptId { get; init; }
    public string TenantId { get; init; } = "";
    public string Status { get; init; } = "";
    public string TriggerKind { get; init; } = "";
    public string? Reason { get; init; }
    public string? ErrorCategory { get; init; }
    public string? ErrorCode { get; init; }
    public string? ErrorMessage { get; init; }
    public string? LineageRef { get; init; }
    public byte[]? ResultDigest { get; init; }
    public string Environment { get; init; } = "";
    public string Region { get; init; } = "";
    public string JobId { get; init; } = "";
    public string KpiId { get; init; } = "";
    public string ContractVersion { get; init; } = "";
    public string ContentHash { get; init; } = "";
    public string? Agent { get; init; }
    public string ScdView { get; init; } = "";
    /// <summary>What it computed; null: what the job reports.</summary>
    public long? RestatementId { get; init; }
    public long? RestatesRunId { get; init; }
    /// <summary>Runs that restated its number.</summary>
    public long[]? RestatedBy { get; init; }

    public SlotKey Slot => new(TriggerKind, ScheduledFor);

    public Run ToProto()
    {
        var run = new Run
        {
            RunId = RunId, BindingId = BindingId, Tenant = TenantId, Environment = Environment, Region = Region, JobId = JobId, KpiId = KpiId,
            ContractVersion = ContractVersion, ContentHash = ContentHash, AttemptId = AttemptId?.ToString() ?? "", SlotKey = Slot.ToString(),
            ScheduledFor = Time(ScheduledFor), WindowStart = Time(WindowStart), BusinessDate = BusinessDate.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            TriggerKind = TriggerKind, TryNumber = AttemptId is null ? 0 : RetrySeq + 1, StartedAt = Time(StartedAt), FinishedAt = Time(FinishedAt),
            RecordedAt = Time(RecordedAt), Status = Status, Reason = Reason ?? "", ErrorCategory = ErrorCategory ?? "", ErrorCode = ErrorCode ?? "",
            ErrorMessage = ErrorMessage ?? "", RowsProcessed = RowsProcessed ?? 0, DataPoints = DataPoints ?? 0, LineageRef = LineageRef ?? "", Final = Final,
            Agent = Agent ?? "", SlotCount = SlotCount, LastSlot = Time(SlotLast),
            ResultDigest = ResultDigest is null ? "" : "sha256:" + Convert.ToHexStringLower(ResultDigest),
            Fence = FenceEpoch is { } epoch ? new Fence { Epoch = epoch, Number = RunId } : null,
            ScdView = ScdView, RestatementId = RestatementId ?? 0, RestatesRunId = RestatesRunId ?? 0, RestatedByRunIds = { RestatedBy ?? [] },
        };
        if (SlaBreached is { } breached)
            run.SlaBreached = breached;
        return run;
    }

    private static Timestamp? Time(DateTimeOffset? instant) => instant is { } at ? Timestamp.FromDateTimeOffset(at) : null;
}

/// <summary>A document that a run, or a report that came too late, left.</summary>
internal sealed record EvidenceRow
{
    public string Kind { get; init; } = "";
    public Guid AttemptId { get; init; }
    public DateTimeOffset RecordedAt { get; init; }
    public string Document { get; init; } = "{}";
}
