using System.CommandLine;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class AlertsCommand
{
    private static readonly Argument<long> Id = new("EPISODE") { Description = "The episode's number, as kpictl alerts shows it" };
    private static readonly Argument<long> MessageId = new("ALERT") { Description = "The alert's number, as kpictl alerts dead shows it" };
    private static readonly Argument<string?> Job = new("JOB") { Description = "Only of this job", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Clock = new("--clock") { Description = "Only of freshness, latency, availability, failure or drift", HelpName = "CLOCK" };
    private static readonly Option<bool> All = new("--all", "-a") { Description = "Those that ended, too" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most so many", HelpName = "N", DefaultValueFactory = _ => 50 };
    private static readonly Option<string?> Until = new("--until") { Description = "An instant, a date, or a duration from now", HelpName = "TIME", Required = true };

    public static Command Create()
    {
        var command = new Command("alerts", "Episodes in which a promise is not kept: list, acknowledge, silence") { Job }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Clock, All, Limit, SharedOptions.Output).Does(List);
        command.Add(new Command("show", "One episode") { Id }.Online().With(SharedOptions.Output).Does(Show));
        command.Add(new Command("ack", "Say that somebody looks after an episode: nothing is repeated") { Id }
            .Online().With(SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Acknowledge));
        command.Add(new Command("silence", "Tell nothing of an episode until an instant") { Id }
            .Online().With(Until, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Silence));
        command.Add(new Command("unsilence", "End a silence") { Id }
            .Online().With(SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Unsilence));
        command.Add(new Command("dead", "Alerts that were given up").Online().With(SharedOptions.Tenant, SharedOptions.Environment, Limit, SharedOptions.Output).Does(Dead));
        command.Add(new Command("resend", "Send an alert that was given up again") { MessageId }
            .Online().With(SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Resend));
        return command;
    }

    private static async Task<int> Dead(Session session)
    {
        var all = new ListDeadAlertsResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Alerts.ListDeadAlertsAsync(new ListDeadAlertsRequest
            {
                Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", PageSize = size, PageToken = token,
            }, session.Call);
            all.Alerts.AddRange(page.Alerts);
            all.NextPageToken = page.NextPageToken;
            return (page.Alerts.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => EpisodePage.Dead(session, all.Alerts), () => all.Alerts.Select(alert => $"{alert.MessageId}"));
        return ExitCode.Done;
    }

    private static async Task<int> Resend(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        var alert = await session.Alerts.ResendAlertAsync(new ResendAlertRequest
        {
            MessageId = session.Value(MessageId), Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        session.Answer.Print(alert, () => session.World.Out.WriteLine($"alert {alert.MessageId} goes to {alert.Channel} again{(dryRun ? " (dry run: nothing was changed)" : "")}"), () => [$"{alert.MessageId}"]);
        return ExitCode.Done;
    }

    private static async Task<int> List(Session session)
    {
        var binding = session.Value(Job) is { } job ? (await session.Jobs.GetJobAsync(JobAddress.Parse(job, session.Target).Get(), session.Call)).BindingId : 0;
        var all = new ListEpisodesResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Alerts.ListEpisodesAsync(new ListEpisodesRequest
            {
                Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", BindingId = binding, Clock = session.Value(Clock) ?? "",
                IncludeResolved = session.Value(All), PageSize = size, PageToken = token,
            }, session.Call);
            all.Episodes.AddRange(page.Episodes);
            all.NextPageToken = page.NextPageToken;
            return (page.Episodes.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => EpisodePage.Table(session, all.Episodes), () => all.Episodes.Select(EpisodePage.NumberOf));
        return ExitCode.Done;
    }

    private static async Task<int> Show(Session session)
    {
        var episode = await session.Alerts.GetEpisodeAsync(new GetEpisodeRequest { EpisodeId = session.Value(Id) }, session.Call);
        session.Answer.Print(episode, () => EpisodePage.Print(session, episode), () => [EpisodePage.NumberOf(episode)]);
        return ExitCode.Done;
    }

    private static async Task<int> Acknowledge(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        return Told(session, "acknowledged", dryRun, await session.Alerts.AcknowledgeEpisodeAsync(new AcknowledgeEpisodeRequest
        {
            EpisodeId = session.Value(Id), Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call));
    }

    private static async Task<int> Silence(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        var until = Times.Instant(session.Value(Until)!, "--until", session.World.Clock);
        var reason = session.Value(SharedOptions.Reason) ?? throw new Refusal("a silence has a reason", "give --reason");
        return Told(session, $"silenced until {Ages.Absolute(Timestamp.FromDateTimeOffset(until))}", dryRun, await session.Alerts.SilenceEpisodeAsync(new SilenceEpisodeRequest
        {
            EpisodeId = session.Value(Id), Until = Timestamp.FromDateTimeOffset(until), Reason = reason, ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call));
    }

    private static async Task<int> Unsilence(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        return Told(session, "no longer silenced", dryRun, await session.Alerts.UnsilenceEpisodeAsync(new UnsilenceEpisodeRequest
        {
            EpisodeId = session.Value(Id), Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call));
    }

    private static int Told(Session session, string what, bool dryRun, Episode episode)
    {
        session.Answer.Print(episode, () => session.World.Out.WriteLine(
            $"episode {EpisodePage.NumberOf(episode)} of {EpisodePage.JobOf(episode)} ({episode.Clock}) is {what}{(dryRun ? " (dry run: nothing was changed)" : "")}"), () => [EpisodePage.NumberOf(episode)]);
        return ExitCode.Done;
    }
}
