using System.Globalization;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Jobs;

/// <summary>Episodes for people.</summary>
internal static class EpisodePage
{
    public static string NumberOf(Episode episode) => episode.EpisodeId.ToString(CultureInfo.InvariantCulture);

    public static string JobOf(Episode episode) => $"{episode.Tenant}/{episode.Environment}/{episode.JobId}";

    public static void Table(Session session, IReadOnlyCollection<Episode> episodes)
    {
        if (episodes.Count == 0)
        {
            session.World.Error.WriteLine("no open episodes: every promise is kept (those that ended: --all)");
            return;
        }
        var now = session.World.Clock.GetUtcNow();
        var table = new TextTable("EPISODE", "JOB", "CLOCK", "STATE", "SINCE", "BREACHED", "RESOLVED", "RUN", "LOOKED AFTER").Numeric(0);
        foreach (var episode in episodes)
            table.Row(NumberOf(episode), JobOf(episode), episode.Clock, Cell.Status(episode.State), Time(episode.OpenedAt), Time(episode.BreachedAt), Time(episode.ResolvedAt),
                episode.RunId == 0 ? "-" : $"run/{episode.RunId}", After(episode, now));
        table.WriteTo(session.World);

        string Time(Google.Protobuf.WellKnownTypes.Timestamp? at) => session.Answer.Wide ? Ages.Absolute(at) : Ages.Relative(at, now);
    }

    public static void Print(Session session, Episode episode)
    {
        var now = session.World.Clock.GetUtcNow();
        new Sheet()
            .Line("episode", NumberOf(episode))
            .Line("job", $"{JobOf(episode)} (binding/{episode.BindingId})")
            .Line("kpi", $"{episode.KpiId}@{episode.ContractVersion}")
            .Line("clock", episode.Clock)
            .Line("state", Cell.Status(episode.State))
            .Line("opened_at", Ages.Both(episode.OpenedAt, now))
            .Line("breached_at", Ages.Both(episode.BreachedAt, now))
            .Line("seen", Ages.Both(episode.BreachRecordedAt ?? episode.RecordedAt, now))
            .Line("resolved_at", episode.ResolvedAt is null ? "-" : $"{Ages.Both(episode.ResolvedAt, now)}, {episode.Resolution}")
            .Line("needs", episode.Needs is null ? "" : $"a result that reaches {Ages.Absolute(episode.Needs)}")
            .Line("detail", episode.Detail)
            .Line("run", episode.RunId == 0 ? "" : $"run/{episode.RunId}")
            .Line("acknowledged", episode.AcknowledgedAt is null ? "" : $"{Ages.Both(episode.AcknowledgedAt, now)} by {episode.AcknowledgedBy} {episode.AcknowledgeReason}".TrimEnd())
            .Line("silenced", episode.SilencedUntil is null ? "" : $"until {Ages.Both(episode.SilencedUntil, now)} by {episode.SilencedBy}: {episode.SilenceReason}")
            .WriteTo(session.World);
    }

    public static void Dead(Session session, IReadOnlyCollection<DeadAlert> alerts)
    {
        if (alerts.Count == 0)
        {
            session.World.Error.WriteLine("no alert was given up");
            return;
        }
        var table = new TextTable("ALERT", "JOB", "EVENT", "CHANNEL", "WHEN", "TRIES", "WHY").Numeric(0, 5);
        foreach (var alert in alerts)
            table.Row($"{alert.MessageId}", $"{alert.Tenant}/{alert.Environment}/{alert.JobId}", alert.Event, alert.Channel,
                Ages.Relative(alert.OccurredAt, session.World.Clock.GetUtcNow()), alert.Tries, alert.LastError);
        table.WriteTo(session.World);
    }

    private static string After(Episode episode, DateTimeOffset now) =>
        episode.SilencedUntil is { } until && until.ToDateTimeOffset() > now ? $"silenced {Ages.Relative(until, now)[3..]}"
        : episode.AcknowledgedAt is not null ? episode.AcknowledgedBy : "-";
}
