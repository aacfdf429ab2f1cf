using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Authoring;
using KpiControl.Control.Leases;
using KpiControl.Control.Overrides;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Runs;

/// <summary>A binding as it stands at one moment. Two that are equal show the same.</summary>
internal sealed record JobState
{
    public long BindingId { get; init; }
    public long DefId { get; init; }
    public string TenantId { get; init; } = "";
    public string Environment { get; init; } = "";
    public string Region { get; init; } = "";
    public string JobId { get; init; } = "";
    public string KpiId { get; init; } = "";
    public string ContractVersion { get; init; } = "";
    public string ContentHash { get; init; } = "";
    public string ScheduleCron { get; init; } = "";
    public string Timezone { get; init; } = "";
    public bool ActiveFlag { get; init; }
    public string ScdView { get; init; } = "";
    public int Revision { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public bool ScheduleOverridden { get; init; }
    /// <summary>What stands over it, pauses apart.</summary>
    public string? OverridesJson { get; init; }
    public DateTimeOffset? LastRunAt { get; init; }
    public DateTimeOffset? NextRunAt { get; init; }
    public string? LastStatus { get; init; }
    public string? LastError { get; init; }
    public int RetryCount { get; init; }
    public int Queued { get; init; }
    public string SlaState { get; init; } = "none";
    /// <summary>Rises with every attempt, also with one that began and ended between two looks.</summary>
    public long FenceN { get; init; }
    public DateTimeOffset? PausedUntil { get; init; }
    public bool? Paused { get; init; }
    public DateTimeOffset? OccScheduledFor { get; init; }
    public DateTimeOffset? OccWindowStart { get; init; }
    public DateOnly? OccBusinessDate { get; init; }
    public string? OccKind { get; init; }
    public short? OccReason { get; init; }
    public string? OccState { get; init; }
    public DateTimeOffset? OccRetryAt { get; init; }
    public Guid? AttemptId { get; init; }
    public string? Agent { get; init; }
    /// <summary>JSON: what stands aside of it; null: nothing does.</summary>
    public string? AsideJson { get; init; }

    public Job ToProto()
    {
        var open = OpenState.Aside(AsideJson).Concat(OccState is null ? [] : [OpenState.InRow(this)]).OrderBy(one => one.OccScheduledFor).Select(one => one.ToProto()).ToList();
        return new Job
        {
            BindingId = BindingId, DefId = DefId, Tenant = TenantId, Environment = Environment, Region = Region, JobId = JobId, KpiId = KpiId,
            ContractVersion = ContractVersion, ContentHash = ContentHash, ScheduleCron = ScheduleCron, Timezone = Timezone, ActiveFlag = ActiveFlag,
            ScdView = ScdView, Etag = Etags.Of(Revision), CreatedAt = Time(CreatedAt), ScheduleOverridden = ScheduleOverridden, LastRunAt = Time(LastRunAt),
            NextRunAt = Time(NextRunAt), LastStatus = LastStatus ?? "", LastError = LastError ?? "", RetryCount = RetryCount, Queued = Queued,
            Paused = Paused == true, PausedUntil = Paused == true && PausedUntil != DateTimeOffset.MaxValue ? Time(PausedUntil) : null,
            SlaState = SlaState, Occurrence = open.FirstOrDefault(), Beside = { open.Skip(1) }, Overrides = { Standing() },
        };
    }

    private IEnumerable<Override> Standing() => OverrideReads.Rows(OverridesJson).Select(row => row.ToProto());

    private static Timestamp? Time(DateTimeOffset? instant) => instant is { } at ? Timestamp.FromDateTimeOffset(at) : null;
}
