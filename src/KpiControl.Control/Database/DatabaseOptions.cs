using System.ComponentModel.DataAnnotations;

namespace KpiControl.Control.Database;

/// <summary>Npgsql connection strings, one per role: migrations own the schema, requests and the scheduler do not.</summary>
internal sealed class DatabaseOptions
{
    public const string Section = "Database";

    /// <summary>The owner of the schema. Empty: this process does not migrate, and refuses a database that is behind.</summary>
    public string Migrations { get; set; } = "";

    /// <summary>A member of <c>kpi_requests</c>: what callers ask for.</summary>
    [Required(ErrorMessage = "Database:Requests is missing: the connection string of a member of kpi_requests")]
    public string Requests { get; set; } = "";

    /// <summary>
    /// True: <see cref="Requests"/> leads to a pooler that lends a connection for one transaction (pgbouncer's
    /// <c>pool_mode = transaction</c>); nothing is prepared there. The scheduler's connections cannot go through one: they listen.
    /// </summary>
    public bool RequestsThroughPooler { get; set; }

    /// <summary>A member of <c>kpi_scheduler</c>: leases, schedules, sessions.</summary>
    [Required(ErrorMessage = "Database:Scheduler is missing: the connection string of a member of kpi_scheduler")]
    public string Scheduler { get; set; } = "";

    /// <summary>How often each node looks whether the months to come have their partitions.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "7.00:00:00")]
    public TimeSpan PartitionsEvery { get; set; } = TimeSpan.FromHours(6);

    /// <summary>Connections of each pool.</summary>
    [Range(2, 500)]
    public int PoolSize { get; set; } = 20;
}
