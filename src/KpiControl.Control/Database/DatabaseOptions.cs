using System.ComponentModel.DataAnnotations;
using KpiControl.Jobs.Calls;
using Npgsql;

namespace KpiControl.Control.Database;

/// <summary>Npgsql connection strings, one per role: migrations own the schema, requests and the scheduler do not.</summary>
internal sealed class DatabaseOptions : IValidatableObject
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

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        from setting in new[] { (Name: nameof(Migrations), Text: Migrations), (Name: nameof(Requests), Text: Requests), (Name: nameof(Scheduler), Text: Scheduler) }
        where setting.Text.Length > 0
        let mistake = Mistake(setting.Text)
        where mistake is not null
        select new ValidationResult($"Database:{setting.Name} {mistake}");

    // The text is never repeated, nor what the driver says of it: a password stands in it, and of an URL the driver takes all for a keyword.
    private static string? Mistake(string text)
    {
        NpgsqlConnectionStringBuilder read;
        try
        {
            read = new NpgsqlConnectionStringBuilder(text);
        }
        catch (Exception unreadable) when (unreadable is ArgumentException or FormatException)
        {
            return "is no connection string of Npgsql: write Host=…;Port=5432;Database=kpi;Username=…;Password=… (it takes no postgresql:// URL)";
        }
        return read.SslMode < SslMode.VerifyCA && (read.Host ?? "").Split(',').Any(host => !IsHere(host.Trim()))
            ? "leads off this machine and does not verify the server: add SSL Mode=VerifyFull, and Root Certificate=/path where the system does not know its authority"
            : null;
    }

    // A name may have its port behind it; what begins with / or @ is a socket of this machine.
    private static bool IsHere(string host) =>
        host is "" or ['/' or '@', ..] || CallableAddresses.NamesLoopback(host) || host.LastIndexOf(':') is > 0 and var at && CallableAddresses.NamesLoopback(host[..at]);
}
