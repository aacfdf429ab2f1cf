using System.ComponentModel.DataAnnotations;

namespace KpiControl.Control.Leases;

/// <summary>How long leases live and how much is moved at once.</summary>
internal sealed class LeaseOptions : IValidatableObject
{
    public const string Section = "Leases";

    /// <summary>This node's name; unique among the control plane's processes. A second process of one name ends the first.</summary>
    [Required]
    public string Node { get; set; } = Environment.MachineName;

    /// <summary>A session lives this long after it was last heard (any message counts), and a node after it last extended itself.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan Ttl { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How often agents are asked to be heard.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:02:00")]
    public TimeSpan HeartbeatEvery { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Beyond the TTL, before leases of a silent session are given back: an agent's own trust has ended by then.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:01:00")]
    public TimeSpan Grace { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often nodes look for sessions and nodes that fell silent.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "00:00:10")]
    public TimeSpan ReclaimEvery { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Most leases of one statement; larger ones cost less a run and hold their rows' locks longer.</summary>
    [Range(1, 500)]
    public int BatchSize { get; set; } = 500;

    /// <summary>Longest a finished run waits for others before it is recorded.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:00.1")]
    public TimeSpan CompletionFlush { get; set; } = TimeSpan.FromMilliseconds(2);

    /// <summary>The safety net: everything is woken by a message; what was missed is found by this slow poll.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:05:00")]
    public TimeSpan PollEvery { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How late a slot may be, with no agent to take it, before it is shown as waiting for one.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan UnroutableAfter { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>An occurrence that no agent can take gives up then, as <c>skipped(unroutable)</c>; one whose successor is to come before that is due.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan UnroutableGivesUpAfter { get; set; } = TimeSpan.FromDays(1);

    /// <summary>So many lost leases within <see cref="LossesWithin"/> end an occurrence as <c>failed(lease_lost)</c>: what runs it takes its agent down.</summary>
    [Range(1, 100)]
    public int LossesToQuarantine { get; set; } = 3;

    [Range(typeof(TimeSpan), "00:01:00", "30.00:00:00")]
    public TimeSpan LossesWithin { get; set; } = TimeSpan.FromHours(72);

    /// <summary>So many of a job whose schedule says <c>overlap: allow</c> are open at once; of slots that come due beyond, one queues and the others are skipped.</summary>
    [Range(2, 64)]
    public int MostAtOncePerBinding { get; set; } = 16;

    /// <summary>An agent is asked to connect again after this time, less up to a fifth; when its certificate ends, if that is before.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan StreamAge { get; set; } = TimeSpan.FromHours(1);

    /// <summary>The node answers heartbeats for one grace after it extended itself: it does so twice within one.</summary>
    public TimeSpan ExtendEvery => TimeSpan.FromTicks(Math.Min(Ttl.Ticks / 6, Grace.Ticks / 2));

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (HeartbeatEvery * 2 > Ttl)
            yield return new ValidationResult("Leases:HeartbeatEvery must be at most half of Leases:Ttl: one lost heartbeat must not end a session");
        if (ReclaimEvery > Ttl / 2)
            yield return new ValidationResult("Leases:ReclaimEvery must be at most half of Leases:Ttl: a longer gap is taken for an outage, and nothing is reclaimed after one");
    }
}
