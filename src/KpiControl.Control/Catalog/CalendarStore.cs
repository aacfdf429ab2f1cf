using KpiControl.Control.Requests;
using KpiControl.Jobs.Calendars;

namespace KpiControl.Control.Catalog;

/// <summary>A calendar's version as stored.</summary>
internal sealed record CalendarRow
{
    public required string TenantId { get; init; }
    public required string Name { get; init; }
    public int Version { get; init; }
    public required string Digest { get; init; }
    public required string Format { get; init; }
    public required string Content { get; init; }
    public required string CanonicalJson { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public string CreatedBy { get; init; } = "";
    public string Reason { get; init; } = "";
    /// <summary>How many jobs have this version in force.</summary>
    public int Bindings { get; init; }

    public WorkCalendar Understand() =>
        KnownCalendars.Read(CanonicalJson) ?? throw new InvalidOperationException($"The stored calendar {Name} version {Version} cannot be read.");
}

internal static class CalendarStore
{
    private const string Columns = """
        SELECT k.tenant_id, k.name, k.version, k.digest, k.format, k.content, k.canonical_json, k.created_at, k.created_by, k.reason,
               (SELECT count(*)::int FROM kpi_job_binding b WHERE b.tenant_id = k.tenant_id AND b.calendar = k.name AND b.calendar_version = k.version) AS bindings
          FROM kpi_calendar k

        """;

    private const string Find = Columns + """
         WHERE k.tenant_id = @tenant AND k.name = @name AND (@version = 0 OR k.version = @version) ORDER BY k.version DESC LIMIT 1
        """;

    /// <param name="version">0: the latest.</param>
    public static Task<CalendarRow?> FindAsync(RequestTransaction tx, string tenant, string name, int version = 0) =>
        tx.FindAsync<CalendarRow>(Find, new { tenant, name, version });

    private const string Of = Columns + """
         WHERE k.tenant_id = @tenant AND k.name = ANY (@names)
           AND NOT EXISTS (SELECT FROM kpi_calendar l WHERE l.tenant_id = k.tenant_id AND l.name = k.name AND l.version > k.version)
        """;

    /// <summary>The latest version of each that there is.</summary>
    public static Task<IReadOnlyList<CalendarRow>> OfAsync(RequestTransaction tx, string tenant, string[] names) => tx.QueryAsync<CalendarRow>(Of, new { tenant, names });

    private const string Names = """
        SELECT DISTINCT name FROM kpi_calendar WHERE tenant_id = @tenant ORDER BY name LIMIT 200
        """;

    public static Task<IReadOnlyList<string>> NamesAsync(RequestTransaction tx, string tenant) => tx.QueryAsync<string>(Names, new { tenant });

    // All versions of one name; of all names, the latest of each.
    private const string Page = Columns + """
         WHERE (@tenants::text[] IS NULL OR k.tenant_id = ANY (@tenants))
           AND CASE WHEN @name::text = '' THEN NOT EXISTS (SELECT FROM kpi_calendar l WHERE l.tenant_id = k.tenant_id AND l.name = k.name AND l.version > k.version) ELSE k.name = @name END
           AND (k.tenant_id, k.name, k.version) > (@afterTenant::text, @afterName::text, @afterVersion::int)
         ORDER BY k.tenant_id, k.name, k.version LIMIT @limit
        """;

    public static Task<IReadOnlyList<CalendarRow>> PageAsync(RequestTransaction tx, string[]? tenants, string name, string[]? after, int limit) =>
        tx.QueryAsync<CalendarRow>(Page, new
        {
            tenants, name, limit, afterTenant = after?[0] ?? "", afterName = after?[1] ?? "",
            afterVersion = after is null ? 0 : int.Parse(after[2], System.Globalization.CultureInfo.InvariantCulture),
        });

    private const string Insert = """
        INSERT INTO kpi_calendar (tenant_id, name, version, digest, format, content, canonical_json, created_by, reason)
        VALUES (@TenantId, @Name, @Version, @Digest, @Format, @Content, @CanonicalJson, @CreatedBy, @Reason)
        """;

    public static Task InsertAsync(RequestTransaction tx, CalendarRow row) => tx.ExecuteAsync(Insert, row);

    private const string Lock = """
        SELECT pg_advisory_xact_lock(hashtextextended(concat_ws('/', 'kpi_calendar', @tenant, @name), 0))
        """;

    /// <summary>Nobody pins the calendar, and nobody stores another version, until the transaction ends.</summary>
    public static Task LockAsync(RequestTransaction tx, string tenant, string name) => tx.ExecuteAsync(Lock, new { tenant, name });

    private const string Share = """
        SELECT pg_advisory_xact_lock_shared(hashtextextended(concat_ws('/', 'kpi_calendar', @tenant, @name), 0))
        """;

    /// <summary>No other version is stored until the transaction ends.</summary>
    public static Task ShareAsync(RequestTransaction tx, string tenant, string name) => tx.ExecuteAsync(Share, new { tenant, name });

    private const string Latest = """
        SELECT COALESCE(max(version), 0) FROM kpi_calendar WHERE tenant_id = @tenant AND name = @name
        """;

    /// <summary>0 where there is none.</summary>
    public static Task<int> LatestAsync(RequestTransaction tx, string tenant, string name) => tx.FindAsync<int>(Latest, new { tenant, name });

    // One that is not scheduled, or waits for its first release, takes the version of the day on which it is.
    private const string Using = """
        SELECT binding_id FROM kpi_job_binding
         WHERE tenant_id = @tenant AND calendar = @name AND active_flag ORDER BY binding_id
        """;

    /// <summary>The jobs that move with the calendar, in order.</summary>
    public static Task<IReadOnlyList<long>> UsingAsync(RequestTransaction tx, string tenant, string name) => tx.QueryAsync<long>(Using, new { tenant, name });
}
