using System.Diagnostics.CodeAnalysis;
using Google.Protobuf;
using Grpc.Core;
using KpiControl.Control.Certificates;
using KpiControl.Control.Hosting;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>An open stream: what the agent says is acted on, what is for the agent is sent, until either side ends.</summary>
internal sealed partial class AgentStream(
    CompletionCollector completions, Dispatcher dispatcher, ReclaimStore reclaim, NodeLease node, IOptions<LeaseOptions> options, TimeProvider time, ILogger<AgentStream> logger)
{
    public async Task RunAsync(AgentSession session, IAsyncStreamReader<AgentMessage> messages, IServerStreamWriter<ControlMessage> replies, CancellationToken token)
    {
        await using var age = time.CreateTimer(static s => ((AgentSession)s!).Close(new ControlMessage { Reconnect = new Reconnect { Reason = "This stream, or its certificate, is at its end." } }),
            session, Age(session), Timeout.InfiniteTimeSpan);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(token);
        var reading = ReadAsync(session, messages, ended.Token);
        var writing = WriteAsync(session, replies, ended.Token);
        try
        {
            await await Task.WhenAny(reading, writing);
            if (session.IsShutOut)
                throw AgentCertificates.Revoked(session.Opening.Agent);
            if (session.Closed.IsCompleted)
                throw Reject.Unavailable("The stream ends here: connect again.");
        }
        finally
        {
            // The session outlives its stream: it is resumed, or ends when it has been silent for too long.
            session.Detach();
            await ended.CancelAsync();
            await Task.WhenAll(reading, writing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Log.Ended(logger, session.Opening.Agent, session.Id.SessionId);
        }
    }

    // A stream outlives the certificate that opened it, and its agent's rights, for as long as it is let. Jittered: agents that
    // connected together do not come back together.
    private TimeSpan Age(AgentSession session)
    {
        var age = options.Value.StreamAge * (1 - 0.2 * Random.Shared.NextDouble());
        var left = session.Certificate is { } certificate ? certificate.NotAfter - time.GetUtcNow() : age;
        return left < age ? left > TimeSpan.Zero ? left : TimeSpan.Zero : age;
    }

    private async Task ReadAsync(AgentSession session, IAsyncStreamReader<AgentMessage> messages, CancellationToken token)
    {
        while (await NextAsync(messages, token))
        {
            session.Heard(time.GetTimestamp());
            await ActAsync(session, messages.Current, token);
        }
    }

    // A peer that is gone is an ordinary end of a stream.
    private static async Task<bool> NextAsync(IAsyncStreamReader<AgentMessage> messages, CancellationToken token)
    {
        try
        {
            return await messages.MoveNext(token);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private async Task ActAsync(AgentSession session, AgentMessage message, CancellationToken token)
    {
        switch (message.MessageCase)
        {
            case AgentMessage.MessageOneofCase.Credit when message.Credit.Slots is > 0 and <= 10_000:
                session.AddCredit(message.Credit.Slots);
                dispatcher.CreditArrived(session.Region);
                break;
            case AgentMessage.MessageOneofCase.Finished:
                foreach (var result in message.Finished.Results)
                    Report(session, result);
                break;
            case AgentMessage.MessageOneofCase.Heartbeat when node.IsSure:
                session.Send(new ControlMessage { HeartbeatAck = new HeartbeatAck { Sequence = message.Heartbeat.Sequence } });
                break;
            case AgentMessage.MessageOneofCase.Draining:
                await DrainAsync(session, message.Draining, token);
                break;
            case AgentMessage.MessageOneofCase.Started:
                foreach (var begun in message.Started.Attempts)
                    if (Guid.TryParse(begun.AttemptId, out var attempt))
                        session.Began(attempt);
                break;
            // A node that is not sure of itself does not answer.
            case AgentMessage.MessageOneofCase.Heartbeat:
                break;
            default:
                throw Reject.Invalid("message", $"{message.MessageCase} is out of place here.");
        }
    }

    private void Report(AgentSession session, ByteString result)
    {
        if (!TryParse(result, out var finished))
            throw Reject.Invalid("finished.results", "One of the results is not a serialised Finished.");
        if (Leases.Report.From(session, finished, result) is { } report)
            completions.Report(report);
        else
            session.Acknowledge([new FinishedAck { AttemptId = finished.AttemptId, Outcome = FinishedAck.Types.Outcome.Refused, Detail = "The report lacks its attempt, binding, fence, or a known status." }]);
    }

    private static bool TryParse(ByteString result, [NotNullWhen(true)] out Finished? finished)
    {
        try
        {
            finished = Finished.Parser.ParseFrom(result);
            return true;
        }
        catch (InvalidProtocolBufferException)
        {
            finished = null;
            return false;
        }
    }

    private async Task DrainAsync(AgentSession session, Draining draining, CancellationToken token)
    {
        session.Drain();
        var attempts = draining.ReturnedAttempts.Where(a => Guid.TryParse(a, out _)).Select(Guid.Parse).ToList();
        if (attempts.Count == 0)
            return;
        dispatcher.CameBack(await reclaim.ReturnAsync(session.Id, attempts, token));
    }

    private static async Task WriteAsync(AgentSession session, IServerStreamWriter<ControlMessage> replies, CancellationToken token)
    {
        var outbox = session.Outbox;
        while (await outbox.WaitToReadAsync(token))
            while (outbox.TryRead(out var message))
                await replies.WriteAsync(message, token);
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 375, Level = LogLevel.Information, Message = "Agent {Agent}: the stream of session {SessionId} ended")]
        public static partial void Ended(ILogger logger, string agent, long sessionId);
    }
}
