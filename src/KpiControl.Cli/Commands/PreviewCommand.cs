using System.CommandLine;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
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
    private static readonly Option<string?> After = new("--after") { Description = "From this instant; absent: now", HelpName = "TIME" };
    private static readonly Option<int> Count = new("--count", "-n") { Description = "How many, at most 1000", HelpName = "N", DefaultValueFactory = _ => 5 };

    public static Command Create(Surroundings world) =>
        new Command("preview", "The next fire times of a job, or of a schedule that is not stored") { Job }
            .Online().With(CommonOptions.Tenant, CommonOptions.Environment, Cron, Timezone, DayMatch, After, Count, CommonOptions.Output)
            .Does(world, Preview);

    private static async Task<int> Preview(Session session)
    {
        var answer = await session.Jobs.PreviewScheduleAsync(Request(session), session.Call);
        session.Answer.Print(answer, () => Print(session.World, answer), () => answer.FireTimes.Select(fire => Ages.Absolute(fire.At)));
        return ExitCode.Done;
    }

    private static PreviewScheduleRequest Request(Session session)
    {
        var count = session.Value(Count);
        if (count is < 1 or > 1000)
            throw new Refusal($"--count {count} is not between 1 and 1000");
        var request = new PreviewScheduleRequest
        {
            Count = count,
            After = session.Value(After) is { } text ? Timestamp.FromDateTimeOffset(Times.Instant(text, "--after", session.World.Clock)) : null,
        };
        switch (session.Value(Job), session.Value(Cron))
        {
            case ({ } job, null):
                var address = JobAddress.Parse(job, session.Target);
                (request.BindingId, request.Tenant, request.Environment, request.JobId) = (address.BindingId, address.Tenant, address.Environment, address.JobId);
                break;
            case (null, { } cron):
                (request.Expression, request.Timezone, request.DayMatch) = (cron, session.Value(Timezone) ?? "UTC", session.Value(DayMatch) ?? "");
                break;
            default:
                throw new Refusal("preview takes a JOB or --cron, one of them", "kpictl preview dso_daily, or kpictl preview --cron \"0 2 * * *\" --timezone Europe/Berlin");
        }
        return request;
    }

    private static void Print(Surroundings world, PreviewScheduleResponse answer)
    {
        if (answer.FireTimes.Count == 0)
        {
            world.Error.WriteLine("it never fires again");
            return;
        }
        var now = world.Clock.GetUtcNow();
        var table = new TextTable("AT", "LOCAL", "BUSINESS_DATE", "WHEN");
        foreach (var fire in answer.FireTimes)
            table.Row(Ages.Absolute(fire.At), fire.Local, fire.BusinessDate, Ages.Relative(fire.At, now));
        table.WriteTo(world);
        if (answer.ZoneVersion.Length > 0)
            world.Error.WriteLine($"zone database {answer.ZoneVersion}");
    }
}
