using System.Collections.Concurrent;
using System.Threading.Channels;
using KpiControl.Control.Database;
using KpiControl.Jobs.Runs;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>
/// Collects reports for at most a few milliseconds and records them in one commit; only then are they acknowledged.
/// While the database is away, reports wait here and their agents keep them on disk; those that find no room are put off. The reader of
/// a stream never waits: heartbeats come behind the reports, and the leases of an agent that is well would be lost with theirs.
/// </summary>
internal sealed partial class CompletionCollector(
    CompletionRecorder recorder, LeaseMetrics metrics, IOptions<LeaseOptions> options, TimeProvider time, ILogger<CompletionCollector> logger) : BackgroundService
{
    private const int MostAtOnce = 500, MostBytesAtOnce = 32 << 20, MostWaiting = 20_000, MostBytesWaiting = 256 << 20;
    // An agent has at most a thousand reports under way.
    private const int StreamsOfTheRoom = 20;
    private static readonly TimeSpan AfterOutage = TimeSpan.FromMilliseconds(500), AskEvery = TimeSpan.FromSeconds(1);

    private readonly ReportRoom _room = new(MostWaiting, MostBytesWaiting);
    private readonly Channel<Report> _reports = Channel.CreateUnbounded<Report>(new UnboundedChannelOptions { SingleReader = true });
    private readonly ConcurrentQueue<AgentSession> _putOff = new();

    /// <summary>Takes a report, or puts it off: it is not answered, and its agent offers it again when there is room.</summary>
    public void Report(Report report)
    {
        if (_room.TryEnter(report))
            _reports.Writer.TryWrite(report);
        else if (report.Session.PutOff())
        {
            Log.PutOff(logger, report.Session.Opening.Agent, report.Session.Id.SessionId);
            _putOff.Enqueue(report.Session);
        }
    }

    // An agent offers anew on a new stream what was not answered on the last. So many at once as there is room for, or they would
    // come for nothing; and by the clock, since those that were asked may be gone.
    private void AskAgain()
    {
        for (var free = _room.FreeParts(StreamsOfTheRoom); free > 0 && _putOff.TryDequeue(out var session);)
        {
            if (!session.IsAttached)
                continue;
            session.Close(new ControlMessage { Reconnect = new Reconnect { Reason = "There was no room for all its reports, and is now: offer them again." } });
            free--;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        metrics.Waiting(() => _room.Count);
        await using var asking = time.CreateTimer(_ => AskAgain(), null, AskEvery, AskEvery);
        while (await _reports.Reader.WaitToReadAsync(stoppingToken))
        {
            var batch = await CollectAsync(stoppingToken);
            await RecordAsync(batch, stoppingToken);
            _room.Leave(batch);
        }
    }

    private async Task<List<Report>> CollectAsync(CancellationToken token)
    {
        var batch = new List<Report>();
        Take(batch);
        // A single report that meets an idle recorder is not made to wait.
        if (batch.Count is > 1 and < MostAtOnce && options.Value.CompletionFlush > TimeSpan.Zero)
        {
            await Task.Delay(options.Value.CompletionFlush, time, token);
            Take(batch);
        }
        return batch;
    }

    private void Take(List<Report> batch)
    {
        var bytes = batch.Sum(report => (long)report.Bytes);
        while (batch.Count < MostAtOnce && bytes < MostBytesAtOnce && _reports.Reader.TryRead(out var report))
        {
            batch.Add(report);
            bytes += report.Bytes;
        }
    }

    private async Task RecordAsync(List<Report> batch, CancellationToken token)
    {
        while (true)
            try
            {
                await recorder.RecordAsync(batch, token);
                return;
            }
            catch (Exception error) when (SqlStates.IsOutage(error))
            {
                // In doubt: the commit may have happened. The same batch again finds its own rows and answers the same.
                Log.Away(logger, batch.Count, error.Message);
                await Task.Delay(AfterOutage, time, token);
            }
            catch (Exception error) when (error is not OperationCanceledException && batch.Count > 1)
            {
                Log.Splitting(logger, batch.Count, error);
                foreach (var report in batch)
                    await RecordAsync([report], token);
                return;
            }
            catch (Exception error) when (error is not OperationCanceledException)
            {
                Log.Poison(logger, batch[0].Attempt, error);
                await RefuseAsync(batch[0], token);
                return;
            }
    }

    // The agent forgets what is refused, so it is told only when the report is kept here; else it must send it again.
    private async Task RefuseAsync(Report report, CancellationToken token)
    {
        try
        {
            await recorder.RefuseAsync(report, token);
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            Log.NotKept(logger, report.Attempt, report.Session.Opening.Agent, error);
            report.Session.Close();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 350, Level = LogLevel.Warning, Message = "{Count} reports wait, the database is away: {Error}")]
        public static partial void Away(ILogger logger, int count, string error);

        [LoggerMessage(EventId = 351, Level = LogLevel.Warning, Message = "A batch of {Count} reports failed as a whole; recording them one by one")]
        public static partial void Splitting(ILogger logger, int count, Exception error);

        [LoggerMessage(EventId = 352, Level = LogLevel.Error, Message = "The report of attempt {Attempt} cannot be stored")]
        public static partial void Poison(ILogger logger, Guid attempt, Exception error);

        [LoggerMessage(EventId = 354, Level = LogLevel.Warning, Message = "There is no room for the reports of agent {Agent}, session {SessionId}: it keeps them, and is asked for them again when there is")]
        public static partial void PutOff(ILogger logger, string agent, long sessionId);

        [LoggerMessage(EventId = 353, Level = LogLevel.Error, Message = "The report of attempt {Attempt} could not be kept as evidence either: the stream of agent {Agent} ends, which will send it again")]
        public static partial void NotKept(ILogger logger, Guid attempt, string agent, Exception error);
    }
}
