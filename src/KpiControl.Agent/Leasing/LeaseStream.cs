using Grpc.Core;
using KpiControl.Agent.ControlPlane;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Leasing;

/// <summary>The life of one stream, from Hello until one of its loops ends it. Everything that outlives it is elsewhere.</summary>
internal sealed partial class LeaseStream(AgentSession session, Inbound inbound, Outbound outbound, StreamClock clock, ILogger<LeaseStream> log)
{
    /// <param name="finish">Say what is left to say, then end.</param>
    /// <exception cref="RpcException">Refused or cut; the status says which.</exception>
    public async Task<StreamEnd> RunAsync(ControlConnection connection, CancellationTokenSource cut, CancellationToken finish)
    {
        outbound.Begin();
        if (await GreetAsync(connection, cut, finish) is { } refused)
            return refused;
        var reading = ReadAsync(connection, cut.Token);
        Task<StreamEnd>[] loops = [reading, WriteAsync(connection, finish, cut.Token), clock.BeatAsync(cut.Token), clock.ListenAsync(cut.Token)];
        var first = await Task.WhenAny(loops);
        // A write fails because the stream is over: the reader has the status that says why. After our last word, control ends it.
        if (!first.IsCompletedSuccessfully || first.Result.Kind == StreamEndKind.Done)
            await clock.WithinAsync(reading);
        var end = !first.IsCompletedSuccessfully && reading.IsCompleted ? reading : first;
        session.StreamEnded();
        // Nothing of this stream may be heard once the next one has said what is held.
        await cut.CancelAsync();
        await Task.WhenAll(loops.Cast<Task>()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return await end;
    }

    private async Task<StreamEnd?> GreetAsync(ControlConnection connection, CancellationTokenSource cut, CancellationToken finish)
    {
        var askedAt = clock.Now;
        using var finished = finish.Register(cut.Cancel);
        using var silence = clock.CancelAfterWelcomeTime(cut);
        var greeting = connection.Requests.WriteAsync(new AgentMessage { Hello = session.Hello() }, cut.Token);
        await greeting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // where there is nobody, reading says why
        if (!await connection.Responses.MoveNext(cut.Token))
            return new StreamEnd(StreamEndKind.Lost, "Control ended the stream without an answer to Hello.");
        if (connection.Responses.Current is not { Welcome: { } welcome })
            return new StreamEnd(StreamEndKind.Lost, "Control answered Hello with something else than Welcome: what answers there is not a control plane of this version.");
        if (session.Open(welcome) is { } unusable)
            return new StreamEnd(StreamEndKind.Lost, $"Control's Welcome cannot be used: {unusable}.");
        clock.Open(askedAt);
        inbound.Welcomed(welcome);
        Log.Welcomed(log, welcome.SessionId, welcome.Generation, welcome.Node, session.Ttl.TotalSeconds);
        outbound.Wake();
        return null;
    }

    private async Task<StreamEnd> ReadAsync(ControlConnection connection, CancellationToken cut)
    {
        while (await connection.Responses.MoveNext(cut))
        {
            if (inbound.Handle(connection.Responses.Current) is { } end)
                return end;
        }
        return new StreamEnd(StreamEndKind.Lost, "Control ended the stream.");
    }

    private async Task<StreamEnd> WriteAsync(ControlConnection connection, CancellationToken finish, CancellationToken cut)
    {
        using var finishing = finish.Register(outbound.Wake);
        while (true)
        {
            while (outbound.TryNext(out var message))
                await connection.Requests.WriteAsync(message, cut);
            if (outbound.MustReopen)
                return new StreamEnd(StreamEndKind.Reopen, $"The stream is opened again: {outbound.ReopenReason}.");
            if (finish.IsCancellationRequested)
            {
                await connection.Requests.CompleteAsync();
                return new StreamEnd(StreamEndKind.Done, "Drained.");
            }
            await outbound.WaitAsync(cut);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1321, LogLevel.Information, "Session {Session} (generation {Generation}) with control node {Node}, TTL {Ttl} s.")]
        public static partial void Welcomed(ILogger log, long session, int generation, string node, double ttl);
    }
}
