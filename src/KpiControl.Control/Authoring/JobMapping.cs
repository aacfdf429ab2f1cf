using System.Globalization;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Leases;
using KpiControl.Control.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Authoring;

internal static class JobMapping
{
    public static Job ToProto(this JobRow row)
    {
        var meaning = JsonNode.Parse(row.CanonicalJson)!;
        return new Job
        {
            BindingId = row.BindingId, DefId = row.DefId, Tenant = row.TenantId, Environment = row.Environment, Region = row.Region, JobId = row.JobId,
            KpiId = row.KpiId, ContractVersion = row.ContractVersion, ContentHash = row.ContentHash, ScheduleCron = row.ScheduleCron,
            Timezone = row.Timezone, ActiveFlag = row.ActiveFlag, ScdView = row.ScdView, Etag = Etags.Of(row.Revision),
            CreatedAt = row.CreatedAt.ToTimestamp(), LastRunAt = row.LastRunAt?.ToTimestamp(), NextRunAt = row.NextRunAt?.ToTimestamp(),
            LastStatus = row.LastStatus ?? "", LastError = row.LastError ?? "", RetryCount = row.RetryCount, Paused = row.Paused,
            PausedUntil = row.PausedUntil?.ToTimestamp(), PauseReason = row.PauseReason ?? "", ContractDigest = row.ContractDigest,
            ScheduleOverridden = row.ScheduleOverridden, Calendar = row.Calendar ?? "", CalendarVersion = row.CalendarVersion ?? 0, Queued = row.Queued, SlaState = row.SlaState,
            Sla = meaning["sla"] is { } sla ? JsonParser.Default.Parse<Struct>(sla.ToJsonString()) : null,
            Description = (string?)meaning["description"] ?? "", Criticality = (string?)meaning["criticality"] ?? "",
        };
    }

    public static Occurrence ToProto(this OpenRow row)
    {
        var occurrence = new Occurrence
        {
            SlotKey = new SlotKey(row.TriggerKind, row.ScheduledFor).ToString(), ScheduledFor = row.ScheduledFor.ToTimestamp(),
            WindowStart = row.WindowStart?.ToTimestamp(), BusinessDate = row.BusinessDate.ToString("O", CultureInfo.InvariantCulture),
            State = row.State, Reason = Occurrences.ReasonWord(row.Reason), TriggerKind = row.TriggerKind, TryNumber = row.RetryCount + 1,
            AttemptId = row.AttemptId?.ToString() ?? "", Agent = row.Agent ?? "", RetryAt = row.OccRetryAt?.ToTimestamp(),
        };
        occurrence.Missing.AddRange(row.Missing);
        return occurrence;
    }
}
