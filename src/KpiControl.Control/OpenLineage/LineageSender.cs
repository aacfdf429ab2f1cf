using System.Reflection;
using KpiControl.Control.Alerts.Sending;
using KpiControl.Control.Database;
using KpiControl.Control.Hosting;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.OpenLineage;

/// <summary>Fills the outbox of lineage events and sends what is in it; on every node, each event claimed by one of them at a time. Nothing where there is no receiver.</summary>
internal sealed partial class LineageSender(LineageOutboxStore outbox, AlertHttp http, LineageMetrics metrics, IOptions<OpenLineageOptions> options, TimeProvider time, ILogger<LineageSender> logger) : PeriodicWork(time)
{
    private static readonly TimeSpan ForgetEvery = TimeSpan.FromHours(1);
    private static readonly string Build = typeof(LineageSender).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    private long? startsAt, forgotAt;
    private bool hasBegun;

    protected override TimeSpan Every => options.Value.SendEvery;

    protected override async Task PassAsync(CancellationToken token)
    {
        var (now, tenants) = (options.Value, options.Value.Tenants);
        if (now.Receivers.Count == 0)
            return;
        if (!hasBegun || IsOver(startsAt, now.StartsEvery))
        {
            // Tenants come to be while nodes run.
            await outbox.BeginAsync(tenants, token);
            await outbox.StartsAsync(tenants, token);
            (hasBegun, startsAt) = (true, Time.GetTimestamp());
        }
        while (await outbox.CollectAsync(tenants, token) > 0)
        {
        }
        while (await outbox.ClaimAsync(tenants, now.MostAtOnce, now.ClaimedFor, token) is { Length: > 0 } claimed)
            await SendAsync(await outbox.FactsAsync(claimed, token), token);
        if (IsOver(forgotAt, ForgetEvery))
        {
            await outbox.ForgetAsync(now.KeptFor, token);
            forgotAt = Time.GetTimestamp();
        }
    }

    protected override void Away(Exception error) => Log.Away(logger, error.Message);

    private bool IsOver(long? since, TimeSpan pause) => since is null || Time.GetElapsedTime(since.Value) > pause;

    // Tenants at once: a receiver that hangs keeps no other tenant's events.
    private Task SendAsync(IReadOnlyList<LineageFacts> claimed, CancellationToken token) => Task.WhenAll(claimed.GroupBy(facts => facts.TenantId).Select(async events =>
    {
        foreach (var facts in events.OrderBy(facts => facts.EventId))
            await SendAsync(facts, token);
    }));

    private async Task SendAsync(LineageFacts facts, CancellationToken token)
    {
        var error = (await TryAsync(facts, token)).Error;
        var state = await outbox.EndAsync(facts.EventId, facts.Tries, error, options.Value.PauseAfter(facts.Tries), options.Value.KeptFor, token);
        metrics.Ended(facts.TenantId, state);
        if (state == "dead")
            Log.Dead(logger, facts.EventType, facts.AttemptId, facts.TenantId, error!);
        else if (error is not null && facts.Tries == 1)
            Log.Failed(logger, facts.EventType, facts.AttemptId, facts.TenantId, error);
    }

    private async Task<SendOutcome> TryAsync(LineageFacts facts, CancellationToken token)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(token);
        bound.CancelAfter(options.Value.Timeout);
        try
        {
            var receiver = options.Value.Of(facts.TenantId)!;
            var body = LineageEvent.Of(facts, receiver.Namespace, Build).ToJsonString();
            return receiver.Token.Length == 0 ? await http.PostAsync(receiver.Url, body, bound.Token)
                : await http.PostAsync(receiver.Url, body, bound.Token, headers: ("Authorization", $"Bearer {SecretReference.Read(receiver.Token)}"));
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            return SendOutcome.Failed($"no answer within {options.Value.Timeout.TotalSeconds:0.#} s");
        }
        // A receiver is somebody else's: whatever breaks there is an outcome, and stops no other event.
        catch (Exception broken) when (broken is not OperationCanceledException && !SqlStates.IsOutage(broken))
        {
            return SendOutcome.Failed($"{broken.GetType().Name}: {broken.Message.ReplaceLineEndings(" ")}");
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 750, Level = LogLevel.Warning, Message = "The lineage event {Event} of attempt {Attempt}, tenant {Tenant}, was not taken, and is tried again: {Error}")]
        public static partial void Failed(ILogger logger, string @event, Guid attempt, string tenant, string error);

        [LoggerMessage(EventId = 751, Level = LogLevel.Error, Message = "The lineage event {Event} of attempt {Attempt}, tenant {Tenant}, is given up, kpictl lineage resend sends it again: {Error}")]
        public static partial void Dead(ILogger logger, string @event, Guid attempt, string tenant, string error);

        [LoggerMessage(EventId = 752, Level = LogLevel.Warning, Message = "Lineage events wait, the database is away: {Error}")]
        public static partial void Away(ILogger logger, string error);
    }
}
