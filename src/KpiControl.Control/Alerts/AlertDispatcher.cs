using KpiControl.Control.Alerts.Sending;
using KpiControl.Control.Database;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Alerts;

/// <summary>Takes notices of runs, and sends what the outbox holds; on every node, each message claimed by one of them at a time.</summary>
internal sealed partial class AlertDispatcher(RunNoticeStore notices, MessageStore messages, IEnumerable<IAlertSender> senders, AlertMetrics metrics, TimeProvider time, AlertSettings settings) : PeriodicWork(time)
{
    private static readonly TimeSpan ForgetEvery = TimeSpan.FromHours(1);

    private readonly Dictionary<string, IAlertSender> byKind = senders.ToDictionary(sender => sender.Kind, StringComparer.Ordinal);
    private long? forgotAt;

    protected override TimeSpan Every => settings.Options.SendEvery;

    protected override async Task PassAsync(CancellationToken token)
    {
        try
        {
            await LookAsync(token);
            metrics.Looked();
        }
        // A mistake in what tells of mistakes must not end the node that schedules.
        catch (Exception error) when (error is not OperationCanceledException && !SqlStates.IsOutage(error))
        {
            Log.Broken(settings.Logger, error);
        }
    }

    private async Task LookAsync(CancellationToken token)
    {
        while (await notices.TellAsync(token) > 0)
        {
        }
        await notices.RecoverAsync(token);
        await messages.PrepareAsync(token);
        while (await messages.ClaimAsync(settings.Options.ClaimedFor, token) is { Length: > 0 } claimed)
            await SendAsync(claimed, token);
        if (forgotAt is null || Time.GetElapsedTime(forgotAt.Value) > ForgetEvery)
        {
            await messages.ForgetAsync(settings.Options.KeptFor, token);
            forgotAt = Time.GetTimestamp();
        }
    }

    protected override void Away(Exception error) => Log.Away(settings.Logger, error.Message);

    // At once: a channel that hangs must not use up the others' claims.
    private async Task SendAsync(long[] claimed, CancellationToken token)
    {
        var facts = await messages.FactsAsync(claimed, token);
        await Task.WhenAll(facts.GroupBy(f => f.GroupId).Select(group => SendAsync([.. group], token)));
    }

    private async Task SendAsync(IReadOnlyList<AlertFacts> group, CancellationToken token)
    {
        var first = group[0];
        var outcome = await TryAsync(group, token);
        var retryAfter = outcome.Error is null || outcome.IsFinal ? null : settings.Options.RetryAfter(first.Tries);
        await messages.EndAsync(first.GroupId, first.Tries, outcome.Error, retryAfter, token);
        if (outcome.Error is null)
        {
            metrics.Sent(first.ChannelType, group.Count);
        }
        else if (retryAfter is null)
        {
            metrics.GivenUp(first.ChannelType, group.Count);
            Log.Dead(settings.Logger, group.Count, first.TenantId, first.ChannelType, first.Tries, outcome.Error);
        }
        else
        {
            metrics.Failed(first.ChannelType, group.Count);
            Log.Failed(settings.Logger, group.Count, first.TenantId, first.ChannelType, first.Tries, outcome.Error);
        }
    }

    private async Task<SendOutcome> TryAsync(IReadOnlyList<AlertFacts> group, CancellationToken token)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(token);
        bound.CancelAfter(settings.Options.Timeout);
        try
        {
            return await byKind[group[0].ChannelType].SendAsync(group[0].ChannelValue[(group[0].ChannelValue.IndexOf(':', StringComparison.Ordinal) + 1)..], group, bound.Token);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            return SendOutcome.Failed($"no answer within {settings.Options.Timeout.TotalSeconds:0.#} s");
        }
        // A channel is somebody else's: whatever breaks there is an outcome, and stops no other message.
        catch (Exception error) when (error is not OperationCanceledException && !SqlStates.IsOutage(error))
        {
            return SendOutcome.Failed($"{error.GetType().Name}: {error.Message.ReplaceLineEndings(" ")}");
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 720, Level = LogLevel.Warning, Message = "{Count} alerts of tenant {Tenant} did not reach {Channel} at try {Try}: {Error}")]
        public static partial void Failed(ILogger logger, int count, string tenant, string channel, int @try, string error);

        [LoggerMessage(EventId = 721, Level = LogLevel.Error, Message = "{Count} alerts of tenant {Tenant} are given up after try {Try} to reach {Channel}: {Error}. They are listed by kpictl alerts dead and sent again by kpictl alerts resend")]
        public static partial void Dead(ILogger logger, int count, string tenant, string channel, int @try, string error);

        [LoggerMessage(EventId = 723, Level = LogLevel.Error, Message = "Alerts are not sent: a look at them failed, and is tried again")]
        public static partial void Broken(ILogger logger, Exception error);

        [LoggerMessage(EventId = 722, Level = LogLevel.Warning, Message = "Alerts wait, the database is away: {Error}")]
        public static partial void Away(ILogger logger, string error);
    }
}

/// <summary>What the dispatcher is told at start.</summary>
internal sealed class AlertSettings(IOptions<AlertOptions> options, ILogger<AlertDispatcher> logger)
{
    public AlertOptions Options => options.Value;

    public ILogger Logger => logger;
}
