using Google.Protobuf.WellKnownTypes;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Tests.Support;

/// <summary>Messages as a control plane would send them.</summary>
internal static class Wire
{
    public const string Hash = "sha256:1f0c2a7be4a6f0d3c4b5a69788796a5b4c3d2e1f0f1e2d3c4b5a697887960a1b";

    public static Timestamp At(string instant) => Timestamp.FromDateTimeOffset(DateTimeOffset.Parse(instant, System.Globalization.CultureInfo.InvariantCulture));

    public static Job Job(string jobId = "dso_daily", long bindingId = 7) => new()
    {
        BindingId = bindingId, DefId = 3, Tenant = "acme", Environment = "dev", Region = "eu", JobId = jobId, KpiId = "CFO-EF-02", ContractVersion = "1.1.0",
        ContentHash = Hash, ScheduleCron = "0 2 * * *", Timezone = "UTC", ActiveFlag = true, ScdView = "as_reported", Etag = "e1", LastStatus = "success",
        LastRunAt = At("2026-01-02T02:00:05Z"), NextRunAt = At("2026-01-03T02:00:00Z"), SlaState = "pass",
    };

    public static Run Run(long runId = 9007199254740993, string slot = "schedule:2026-01-02T02:00:00Z", string status = "success") => new()
    {
        RunId = runId, BindingId = 7, Tenant = "acme", Environment = "dev", Region = "eu", JobId = "dso_daily", KpiId = "CFO-EF-02", ContractVersion = "1.1.0",
        ContentHash = Hash, SlotKey = slot, BusinessDate = "2026-01-01", TriggerKind = "schedule", TryNumber = 1, Status = status, Final = true, SlotCount = 1,
        StartedAt = At("2026-01-02T02:00:05Z"), FinishedAt = At("2026-01-02T02:00:06.500Z"), RowsProcessed = 1200, DataPoints = 2,
        Agent = "eu-1", Fence = new Fence { Epoch = 1, Number = 345 }, LineageRef = "lineage/1", AttemptId = "019b0000-0000-7000-8000-000000000001",
    };

    public static RunDetail Detail()
    {
        var evidence = new RunEvidence
        {
            DefinitionHash = Hash, Executor = "sql/postgresql", AgentBuild = "0.1.0+abc", SchemaVersion = "1.0",
            Lineage = new Lineage { SqlHash = "sha256:aa", Sources = { new LineageSource { Type = "gdp", Name = "GDP_Receivables", Version = "2025.03" } } },
            Validations = { new Validation { RuleId = "not_negative", Stage = "post", Passed = true, Message = "2 rows" } },
            Stages = { new StageEvent { Stage = "kpi", Status = "succeeded", InputRows = 1200, OutputRows = 2 } },
        };
        evidence.Points.Add(Point("2025-11", 41.25, null));
        evidence.Points.Add(Point("2025-12", 40, -0.030303030303));
        return new RunDetail { Run = Run(), Evidence = evidence };
    }

    public static DataPoint Point(string period, double value, double? change) => new()
    {
        Period = period, Metric = "dso_days", Value = value, Dimensions = { ["company_id"] = "PARENT" },
        Extensions = { ["MoM"] = change is null ? Value.ForNull() : Value.ForNumber(change.Value) },
    };

    public static Occurrence Occurrence(string state = "waiting") => new()
    {
        SlotKey = "manual:1", BusinessDate = "2026-01-01", State = state, Reason = state == "waiting" ? "dependency" : "",
        Missing = { "gdp GDP_Receivables through 2026-01-01" }, TriggerKind = "manual",
    };
}
