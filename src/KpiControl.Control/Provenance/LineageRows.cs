using System.Globalization;
using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Provenance;

/// <summary>A run with what its evidence says of its sources.</summary>
internal sealed record LineageRunRow
{
    public long RunId { get; init; }
    public DateTimeOffset RecordedAt { get; init; }
    public DateOnly BusinessDate { get; init; }
    public string Status { get; init; } = "";
    public int DataPoints { get; init; }
    public long BindingId { get; init; }
    public string JobId { get; init; } = "";
    public string Region { get; init; } = "";
    public string KpiId { get; init; } = "";
    public string ContractVersion { get; init; } = "";
    public string? ContentHash { get; init; }
    public string? ContractDigest { get; init; }
    public string ScdView { get; init; } = "";
    public long? RestatesRunId { get; init; }
    public long[]? RestatedBy { get; init; }
    public string? Declared { get; init; }
    public string? Agent { get; init; }
    public string? ValuesDigest { get; init; }
    public string? SqlHash { get; init; }
    public string? Inputs { get; init; }
    public string? Lineage { get; init; }

    public string Kpi => SourceName.Of("kpi", KpiId, ContractVersion);

    public IReadOnlyList<SourceTaken> Sources => RecordedSources.Of(Declared, Inputs, Lineage);

    public LineageNode ToNode() => new()
    {
        Id = NodeId.OfRun(RunId), Kind = "run", Name = JobId, BindingId = BindingId, JobId = JobId, Region = Region, KpiId = KpiId, ContractVersion = ContractVersion, Run = ToProto(),
    };

    public LineageRun ToProto() => new()
    {
        RunId = RunId, Status = Status, BusinessDate = NodeId.Date(BusinessDate), RecordedAt = Timestamp.FromDateTimeOffset(RecordedAt), ContentHash = ContentHash ?? "",
        ContractDigest = ContractDigest ?? "", SqlHash = SqlHash ?? "", ValuesDigest = ValuesDigest ?? "", DataPoints = DataPoints, Agent = Agent ?? "",
        ScdView = ScdView, RestatesRunId = RestatesRunId ?? 0, RestatedByRunIds = { RestatedBy ?? [] },
    };

    /// <summary>As this run took it.</summary>
    public LineageEdge ToEdge(SourceTaken source, string to)
    {
        var edge = source.Edge.Clone();
        (edge.From, edge.To, edge.RunId, edge.BusinessDate, edge.RecordedAt) = (NodeId.OfRun(RunId), to, RunId, NodeId.Date(BusinessDate), Timestamp.FromDateTimeOffset(RecordedAt));
        return edge;
    }
}

internal sealed record LineageJobRow
{
    public long BindingId { get; init; }
    public string JobId { get; init; } = "";
    public string Region { get; init; } = "";
    public string KpiId { get; init; } = "";
    public string ContractVersion { get; init; } = "";
    public bool ActiveFlag { get; init; }
    public string? Declared { get; init; }
    public long? LastGood { get; init; }

    public LineageNode ToNode() => NodeId.Job(BindingId, JobId, Region, KpiId, ContractVersion, ActiveFlag);
}

/// <summary>A job below a source, with the evidence of the latest good run that took it.</summary>
internal sealed record DependentRow
{
    /// <summary>Which of the targets.</summary>
    public int Target { get; init; }
    public long BindingId { get; init; }
    public string JobId { get; init; } = "";
    public string Region { get; init; } = "";
    public string KpiId { get; init; } = "";
    public string ContractVersion { get; init; } = "";
    public bool ActiveFlag { get; init; }
    public bool Declared { get; init; }
    public bool Taken { get; init; }
    public long? RunId { get; init; }
    public DateTimeOffset? RecordedAt { get; init; }
    public DateOnly? BusinessDate { get; init; }
    public string? Inputs { get; init; }
    public string? Lineage { get; init; }

    public LineageNode ToNode() => NodeId.Job(BindingId, JobId, Region, KpiId, ContractVersion, ActiveFlag);

    /// <summary>Null where nothing says that it took it: it took the KPI of another job, or long ago from who knows which.</summary>
    public LineageEdge? ToEdge(LineageTarget target)
    {
        var taken = RunId is null ? null : RecordedSources.Of(null, Inputs, Lineage).FirstOrDefault(s => s.Type == target.Type && s.Name == target.Name);
        var once = Taken && target.Job.Length == 0;
        if (taken is null && !Declared && !once)
            return null;
        var edge = taken?.Edge.Clone() ?? new LineageEdge { Recorded = once };
        (edge.From, edge.To, edge.Declared) = (NodeId.OfJob(BindingId), target.NodeId, Declared);
        if (taken is not null)
            (edge.RunId, edge.BusinessDate, edge.RecordedAt) =
                (RunId!.Value, BusinessDate is { } date ? NodeId.Date(date) : "", Timestamp.FromDateTimeOffset(RecordedAt!.Value));
        return edge;
    }
}

internal sealed record TakerRow
{
    public long Taken { get; init; }
    public long Taker { get; init; }
}

/// <summary>What is looked for from below.</summary>
/// <param name="Region">Empty: any. A KPI's value is taken in its own region.</param>
/// <param name="Job">The job that computes it; empty: not asked.</param>
internal sealed record LineageTarget(string NodeId, string Type, string Name, string Region = "", string Job = "")
{
    /// <summary>As an agent's report lists it.</summary>
    public string AsRead => JsonSerializer.Serialize(Type == "kpi" && Name.Split('@') is [var kpi, var version]
        ? new[] { new Dictionary<string, string> { ["type"] = Type, ["name"] = kpi, ["version"] = version } }
        : [new Dictionary<string, string> { ["type"] = Type, ["name"] = Name }]);

    public static LineageTarget OfJob(LineageNode job) => new(job.Id, "kpi", SourceName.Of("kpi", job.KpiId, job.ContractVersion), job.Region, job.JobId);
}

/// <summary>How nodes are named.</summary>
internal static class NodeId
{
    public static string OfRun(long run) => string.Create(CultureInfo.InvariantCulture, $"run/{run}");

    public static string OfJob(long binding) => string.Create(CultureInfo.InvariantCulture, $"job/{binding}");

    public static LineageNode Job(long binding, string job, string region, string kpi, string version, bool active) => new()
    {
        Id = OfJob(binding), Kind = "job", Name = job, BindingId = binding, JobId = job, Region = region, KpiId = kpi, ContractVersion = version, Inactive = !active,
    };

    public static string Date(DateOnly date) => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
