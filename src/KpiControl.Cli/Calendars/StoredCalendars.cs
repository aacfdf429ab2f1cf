using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Calendars;

/// <summary>The calendars that jobs have in force, each read once.</summary>
internal sealed class StoredCalendars
{
    private readonly Dictionary<(string Tenant, string Name, int Version), WorkCalendar?> _calendars = [];

    private StoredCalendars() { }

    public static async Task<StoredCalendars> OfJobs(Session session, IEnumerable<Job> jobs)
    {
        var stored = new StoredCalendars();
        foreach (var key in jobs.Where(job => job.CalendarVersion > 0).Select(Key).Distinct())
            stored._calendars[key] = await Find(session, key.Tenant, key.Name, key.Version);
        return stored;
    }

    public WorkCalendar? Of(Job job) => _calendars.GetValueOrDefault(Key(job));

    /// <param name="version">0: the latest.</param>
    public static async Task<WorkCalendar?> Find(Session session, string tenant, string name, int version) =>
        Understand(await session.Catalog.GetCalendarAsync(new GetCalendarRequest { Tenant = tenant, Name = name, Version = version }, session.Call));

    /// <summary>Null where this kpictl is older than what the calendar says.</summary>
    public static WorkCalendar? Understand(Protocol.V1.Calendar calendar) => CalendarReader.Read(calendar.CanonicalJson, ArtifactFormat.Json).Calendar;

    private static (string Tenant, string Name, int Version) Key(Job job) => (job.Tenant, job.Calendar, job.CalendarVersion);
}
