using System.CommandLine;
using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Calendars;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Cli.Zones;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

/// <summary>Which fire times another release of the time zone database would move, before it is installed.</summary>
internal static class DoctorZonesCommand
{
    private static readonly Argument<string> Other = new("PATH") { Description = "A directory of compiled zones (usr/share/zoneinfo of an unpacked tzdata), or a NodaTime .nzd file" };
    private static readonly Option<TimeSpan?> Ahead = new("--ahead") { Description = "How far to look [default: 730d]", HelpName = "DURATION", CustomParser = Times.DurationOption };

    public static Command Create() =>
        new Command("zones", "List the future fire times that another time zone database would move") { Other }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Ahead, SharedOptions.Output).Does(Compare);

    private static async Task<int> Compare(Session session)
    {
        var other = OtherZones.Open(session.Value(Other)!);
        var jobs = new List<Job>();
        await Pages.Read(session, int.MaxValue, async (size, token) =>
        {
            var page = await session.Jobs.ListJobsAsync(new ListJobsRequest { Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", PageSize = size, PageToken = token }, session.Call);
            jobs.AddRange(page.Jobs.Where(job => job.ScheduleCron.Length > 0));
            return (page.Jobs.Count, page.NextPageToken);
        });
        var from = session.World.Clock.GetUtcNow();
        var calendars = await StoredCalendars.OfJobs(session, jobs);
        var moves = jobs.GroupBy(job => job.Timezone).SelectMany(zone => Moved(zone.Key, zone, calendars, other, from, from + (session.Value(Ahead) ?? TimeSpan.FromDays(730)))).ToList();
        var answer = new Struct();
        answer.Fields["zone_database"] = Value.ForString(other.Version);
        answer.Fields["jobs_looked_at"] = Value.ForNumber(jobs.Count);
        answer.Fields["moves"] = Value.ForList([.. moves.Select(ToValue)]);
        session.Answer.Print(answer, () => Print(session, other, jobs.Count, moves), () => moves.Select(move => JobAddress.NameOf(move.Job)).Distinct());
        return ExitCode.Done;
    }

    private static IEnumerable<(Job Job, ZoneMove? Move)> Moved(string zone, IEnumerable<Job> jobs, StoredCalendars calendars, OtherZones other, DateTimeOffset from, DateTimeOffset until)
    {
        if (other.Find(zone) is not { } offsetAt || !TimeZoneInfo.TryFindSystemTimeZoneById(zone, out var inUse))
            return jobs.Select(job => (job, (ZoneMove?)null));
        var stretches = ZoneMoves.Differences(inUse.GetUtcOffset, offsetAt, from, until);
        return stretches.Count == 0 ? []
            : jobs.Select(job => (job, ZoneMoves.Schedules(job.ScheduleCron, zone, job.BindingId.ToString(CultureInfo.InvariantCulture), calendars.Of(job), offsetAt, other.Version) is { } both
                ? ZoneMoves.Of(both.InUse, both.Other, stretches) : null)).Where(move => move.Item2 is null or { Gone.Count: > 0 } or { Come.Count: > 0 });
    }

    private static Value ToValue((Job Job, ZoneMove? Move) move)
    {
        var fields = new Struct();
        fields.Fields["job"] = Value.ForString(JobAddress.NameOf(move.Job));
        fields.Fields["timezone"] = Value.ForString(move.Job.Timezone);
        fields.Fields["gone"] = Value.ForList([.. (move.Move?.Gone ?? []).Select(at => Value.ForString(Text(at)))]);
        fields.Fields["come"] = Value.ForList([.. (move.Move?.Come ?? []).Select(at => Value.ForString(Text(at)))]);
        fields.Fields["unknown_zone"] = Value.ForBool(move.Move is null);
        return Value.ForStruct(fields);
    }

    private static void Print(Session session, OtherZones other, int looked, List<(Job Job, ZoneMove? Move)> moves)
    {
        if (moves.Count > 0)
        {
            var table = new TextTable("JOB", "ZONE", "GONE", "COME", "FIRST_GONE", "FIRST_COME");
            foreach (var (job, move) in moves)
                table.Row(JobAddress.NameOf(job), job.Timezone, move?.Gone.Count.ToString(CultureInfo.InvariantCulture) ?? "?", move?.Come.Count.ToString(CultureInfo.InvariantCulture) ?? "?",
                    move is null ? "no such zone there" : First(move.Gone), move is null ? "" : First(move.Come));
            table.WriteTo(session.World);
            session.World.Out.Flush();
        }
        session.World.Error.WriteLine($"{moves.Count} of {looked} scheduled jobs would be moved by the zone database {other.Version}; in use is this machine's: compare it with the version that kpictl preview JOB shows");
    }

    private static string First(IReadOnlyList<DateTimeOffset> slots) => slots.Count > 0 ? Text(slots[0]) : "";

    private static string Text(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
