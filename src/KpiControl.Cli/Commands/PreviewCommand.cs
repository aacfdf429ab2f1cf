using System.CommandLine;
using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Calendars;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Schedules;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class PreviewCommand
{
    private static readonly Argument<string?> Job = new("JOB")
    { Description = "As in get; absent: the schedule of --cron", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Cron = new("--cron") { Description = "A schedule that is not stored, such as \"0 2 * * *\"", HelpName = "EXPRESSION" };
    private static readonly Option<string?> Timezone = new("--timezone", "-z") { Description = "Of --cron; default UTC", HelpName = "ZONE" };
    private static readonly Option<string?> DayMatch = new("--day-match")
    { Description = "all: both day fields of --cron must match", HelpName = "all" };
    private static readonly Option<string?> CalendarFile = new("--calendar") { Description = "Of --cron: a calendar's file", HelpName = "FILE" };
    private static readonly Option<string?> After = new("--after") { Description = "From this instant; absent: now", HelpName = "TIME" };
    private static readonly Option<int> Count = new("--count", "-n") { Description = "How many, at most 1000", HelpName = "N", DefaultValueFactory = _ => 5 };

    public static Command Create() =>
        new Command("preview", "The next fire times of a job, or of a schedule that is not stored") { Job }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Cron, Timezone, DayMatch, CalendarFile, After, Count, SharedOptions.Output)
            .Does(Preview);

    private static async Task<int> Preview(Session session)
    {
        var count = session.Value(Count);
        if (count is < 1 or > 1000)
            throw new Refusal($"--count {count} is not between 1 and 1000");
        var after = session.Value(After) is { } text ? Times.Instant(text, "--after", session.World.Clock) : (DateTimeOffset?)null;
        var answer = (session.Value(Job), session.Value(Cron)) switch
        {
            ({ } job, null) => await Stored(session, job, count, after),
            (null, { } cron) => NotStored(session, cron, count, after ?? session.World.Clock.GetUtcNow()),
            _ => throw new Refusal("preview takes a JOB or --cron, one of them", "kpictl preview dso_daily, or kpictl preview --cron \"0 2 * * *\" --timezone Europe/Berlin"),
        };
        session.Answer.Print(answer, () => Print(session.World, answer), () => answer.FireTimes.Select(fire => Ages.Absolute(fire.At)));
        if (session.Answer.ForPeople && session.Value(Job) is { } stored)
            await SayWhatHolds(session, stored);
        return ExitCode.Done;
    }

    private static async Task SayWhatHolds(Session session, string name)
    {
        var job = await session.Jobs.GetJobAsync(JobAddress.Parse(name, session.Target).Get(), session.Call);
        session.World.Out.Flush();
        if (!job.ActiveFlag)
            session.World.Error.WriteLine($"{JobAddress.NameOf(job)} is not active: none of these starts a run");
        else if (job.Paused)
            session.World.Error.WriteLine(Talk.OneLine($"{JobAddress.NameOf(job)} is {JobState.Pause(job, session.World.Clock.GetUtcNow())}: no slot before then starts a run"));
        if (job.ScheduleOverridden)
            session.World.Error.WriteLine($"by the binding's schedule '{job.ScheduleCron}' in {job.Timezone}, which overrides the artifact's");
    }

    private static async Task<PreviewScheduleResponse> Stored(Session session, string job, int count, DateTimeOffset? after)
    {
        var address = JobAddress.Parse(job, session.Target);
        return await session.Jobs.PreviewScheduleAsync(new PreviewScheduleRequest
        {
            BindingId = address.BindingId, Tenant = address.Tenant, Environment = address.Environment, JobId = address.JobId,
            Count = count, After = after is { } instant ? Timestamp.FromDateTimeOffset(instant) : null,
        }, session.Call);
    }

    // The same function as the scheduler's, so an author needs no control plane for it.
    private static PreviewScheduleResponse NotStored(Session session, string cron, int count, DateTimeOffset after)
    {
        var zone = session.Value(Timezone) ?? "UTC";
        var calendar = session.Value(CalendarFile) is { } file ? CalendarFiles.Read(file) : null;
        var spec = new JobScheduleSpec { Type = "cron", Expression = cron, Timezone = zone, DayMatch = session.Value(DayMatch), Calendar = calendar?.Name };
        if (!JobSchedule.TryCreate(spec, out var schedule, out var error, calendar: calendar))
            throw new Refusal($"--cron \"{cron}\" --timezone {zone}: {error}", "five fields, such as \"0 2 * * *\", and an IANA zone, such as Europe/Berlin");
        var clock = TimeZoneInfo.FindSystemTimeZoneById(zone);
        var answer = new PreviewScheduleResponse { ZoneVersion = schedule!.ZoneVersion };
        answer.FireTimes.AddRange(schedule.Slots(after, after.AddYears(50)).Take(count).Select(slot => new FireTime
        {
            At = Timestamp.FromDateTimeOffset(slot),
            Local = TimeZoneInfo.ConvertTime(slot, clock).ToString("yyyy-MM-dd'T'HH:mm:sszzz", CultureInfo.InvariantCulture),
            BusinessDate = schedule.BusinessDate(slot, "previous").ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        }));
        return answer;
    }

    private static void Print(Surroundings world, PreviewScheduleResponse answer)
    {
        if (answer.FireTimes.Count == 0)
        {
            world.Error.WriteLine(answer.EndsAt is { } ended ? $"it never fires again: it ends at {Ages.Absolute(ended)}" : "it never fires again");
            return;
        }
        var now = world.Clock.GetUtcNow();
        var table = new TextTable("AT", "LOCAL", "BUSINESS_DATE", "WHEN");
        foreach (var fire in answer.FireTimes)
            table.Row(Ages.Absolute(fire.At), fire.Local, fire.BusinessDate, Ages.Relative(fire.At, now));
        table.WriteTo(world);
        foreach (var skip in answer.Skipped)
            world.Error.WriteLine(Talk.OneLine($"not at {skip.Local}: {skip.Reason}, {skip.Name}"));
        if (answer.CalendarVersion > 0)
            world.Error.WriteLine($"calendar {answer.Calendar} version {answer.CalendarVersion}");
        if (answer.SpreadOffset is { } offset)
            world.Error.WriteLine($"each comes {Durations.Format(offset.ToTimeSpan())} after the expression's time: the job's place within spread");
        if (answer.EndsAt is { } end)
            world.Error.WriteLine($"the schedule ends at {Ages.Absolute(end)}");
        if (answer.ZoneVersion.Length > 0)
            world.Error.WriteLine($"zone database {answer.ZoneVersion}");
    }
}
