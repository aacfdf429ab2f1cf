using System.ComponentModel.DataAnnotations;

namespace KpiControl.Control.Hosting;

/// <summary>How much of one node a caller may take.</summary>
internal sealed class LimitOptions
{
    public const string Section = "Limits";

    /// <summary>Calls a second that one principal may make of one node, on average.</summary>
    [Range(1, 1_000_000, ErrorMessage = "Limits:CallsPerSecond must be from 1 to 1000000")]
    public int CallsPerSecond { get; set; } = 1000;

    /// <summary>How many of them at once, after a rest.</summary>
    [Range(1, 1_000_000, ErrorMessage = "Limits:Burst must be from 1 to 1000000")]
    public int Burst { get; set; } = 5000;

    /// <summary>The deadline of a call that is no stream; a caller may set a shorter one.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00", ErrorMessage = "Limits:LongestCall must be from 00:00:01 to 01:00:00")]
    public TimeSpan LongestCall { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Open connections of one node, all listeners together; more are closed at once.</summary>
    [Range(1, 1_000_000, ErrorMessage = "Limits:Connections must be from 1 to 1000000")]
    public int Connections { get; set; } = 10_000;

    /// <summary>Calls at once on one HTTP/2 connection; more of them wait at the client.</summary>
    [Range(1, 10_000, ErrorMessage = "Limits:StreamsPerConnection must be from 1 to 10000")]
    public int StreamsPerConnection { get; set; } = 100;

    /// <summary>How long a peer may take for its headers, may send or take next to nothing of a body, and may leave a ping unanswered.</summary>
    [Range(typeof(TimeSpan), "00:00:02", "00:05:00", ErrorMessage = "Limits:SilentFor must be from 00:00:02 to 00:05:00")]
    public TimeSpan SilentFor { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a connection may stay open without a call.</summary>
    [Range(typeof(TimeSpan), "00:00:02", "1.00:00:00", ErrorMessage = "Limits:IdleFor must be from 00:00:02 to 1.00:00:00")]
    public TimeSpan IdleFor { get; set; } = TimeSpan.FromMinutes(2);
}
