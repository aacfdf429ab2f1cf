using Grpc.Core;
using KpiControl.Agent.ControlPlane;
using KpiControl.Agent.Secrets;

namespace KpiControl.Agent.Leasing;

/// <summary>Opens one stream and runs it; says in one line how it ended, and how long to wait before the next.</summary>
internal sealed partial class StreamOpener(ControlDoor door, CertificateKeeper certificates, LeaseStream stream, AgentSession session, SecretsInHand secrets, ILogger<StreamOpener> log)
{
    private readonly Backoff backoff = new(door.Options.ShortestPause, door.Options.LongestPause);
    private string lastProblem = "";
    private long repeats;

    public async Task<StreamEnd> RunAsync(CancellationToken finish)
    {
        var (proof, problem) = await ProofAsync(finish);
        if (proof is null)
            return new StreamEnd(finish.IsCancellationRequested ? StreamEndKind.Done : StreamEndKind.Lost, problem);
        using var held = proof.Token is { } token ? secrets.Hold(token) : null;
        using var cut = new CancellationTokenSource();
        try
        {
            using var connection = door.Open(proof, cut.Token);
            return await stream.RunAsync(connection, cut, finish);
        }
        catch (Exception) when (finish.IsCancellationRequested)
        {
            return new StreamEnd(StreamEndKind.Done, "The agent stops.");
        }
        catch (RpcException) when (cut.IsCancellationRequested)
        {
            return new StreamEnd(StreamEndKind.Lost, $"The control plane at {door.Address} did not answer Hello in time.");
        }
        catch (RpcException e)
        {
            return Explain(e);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException or System.Security.Cryptography.CryptographicException)
        {
            return new StreamEnd(StreamEndKind.Lost, $"The stream to {door.Address} broke: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    private async Task<(Proof? Proof, string Problem)> ProofAsync(CancellationToken finish)
    {
        if (!door.Options.HasToken)
        {
            var (certificate, lack) = await certificates.ReadyAsync(finish);
            return (certificate is null ? null : new Proof(null, certificate), lack);
        }
        var (token, problem) = BearerToken.Read(door.Options.Token);
        return (token is null ? null : new Proof(token, null), $"There is no token to connect with: {problem}. Put the agent's token there, or correct Agent:ControlPlane:Token.");
    }

    /// <summary>Logs the end and returns the pause: none to speak of when it was asked for, else with backoff and jitter.</summary>
    public TimeSpan PauseAfter(StreamEnd end, bool livedLong)
    {
        if (livedLong)
            backoff.Reset();
        if (end.Kind == StreamEndKind.Done)
            return TimeSpan.Zero;
        if (end.Kind is StreamEndKind.Moved or StreamEndKind.Reopen)
        {
            Log.Again(log, end.Message);
            return door.Options.ShortestPause * Random.Shared.NextDouble();
        }
        door.TryNextAddress();
        var pause = backoff.Next(Random.Shared.NextDouble());
        // The same line at every try hides all others; it is repeated now and then.
        if (end.Message != lastProblem || livedLong || ++repeats % 10 == 0)
            Log.Lost(log, end.Message, pause.TotalSeconds);
        lastProblem = end.Message;
        return pause;
    }

    private StreamEnd Explain(RpcException e)
    {
        var refusal = door.Explain(e);
        // Once it had a session, a refusal may be a mistake of the moment, and there are results to deliver.
        var hopeless = refusal.Configuration && session.Id == 0;
        return new StreamEnd(hopeless ? StreamEndKind.Misconfigured : StreamEndKind.Lost, refusal.Message);
    }

    private static partial class Log
    {
        [LoggerMessage(1201, LogLevel.Information, "{Message}")]
        public static partial void Again(ILogger log, string message);

        [LoggerMessage(1202, LogLevel.Warning, "{Message} Next try in {Seconds:0.0} s.")]
        public static partial void Lost(ILogger log, string message, double seconds);
    }
}
