using System.ComponentModel.DataAnnotations;

namespace KpiControl.Agent.Outbox;

/// <summary>Section <c>Agent:Outbox</c>: where finished results wait until the control plane has recorded them.</summary>
internal sealed class OutboxOptions
{
    public const string Section = "Agent:Outbox";

    /// <summary>A directory of this agent alone, on a disk that survives the process. Its identity lives in it.</summary>
    [Required(ErrorMessage = "Agent:Outbox:Directory is missing: name a directory on a durable disk, one for each agent.")]
    public string Directory { get; set; } = "";

    /// <summary>Journal files are kept this long after their last record, to be offered again when the cluster epoch changes.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "30.00:00:00", ErrorMessage = "Agent:Outbox:KeepFor must lie between 00:00:00 and 30.00:00:00.")]
    public TimeSpan KeepFor { get; set; } = TimeSpan.FromHours(24);

    /// <summary>At most this many bytes of acknowledged results are kept; whole files go, the oldest first.</summary>
    [Range(0, 1L << 40, ErrorMessage = "Agent:Outbox:KeepBytes must lie between 0 and 1 TiB.")]
    public long KeepBytes { get; set; } = 64L << 20;

    /// <summary>A journal file is closed at this size; compaction works on whole files.</summary>
    [Range(1 << 12, 1 << 30, ErrorMessage = "Agent:Outbox:SegmentBytes must lie between 4096 and 1 GiB.")]
    public int SegmentBytes { get; set; } = 16 << 20;

    /// <summary>A larger result loses its sample of data points: control plane and gRPC take messages up to 4 MiB.</summary>
    [Range(1 << 16, (4 << 20) - 4096, ErrorMessage = "Agent:Outbox:MaxResultBytes must lie between 65536 and 4190208.")]
    public int MaxResultBytes { get; set; } = 3 << 20;

    /// <summary>Pause between tries while the disk refuses to take a result.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "00:05:00", ErrorMessage = "Agent:Outbox:RetryEvery must lie between 00:00:00.05 and 00:05:00.")]
    public TimeSpan RetryEvery { get; set; } = TimeSpan.FromSeconds(2);
}
