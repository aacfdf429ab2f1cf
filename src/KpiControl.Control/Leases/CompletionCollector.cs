using System.Threading.Channels;
using KpiControl.Control.Database;
using KpiControl.Jobs.Runs;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>
/// Collects reports for at most a few milliseconds and records them in one commit; only then are they acknowledged.
/// While the database is away, reports wait here and their agents keep them on disk.
/// </summary>
internal sealed partial class CompletionCollector(
    CompletionRecorder recorder, LeaseMetrics metrics, IOptions<LeaseOptions> options, TimeProvider time, ILogger<CompletionCollector> logger) : BackgroundService
{
    private const int MostAtOnce = 500, MostBytesAtOnce = 32 << 20, MostBytesWaiting = 256 << 20;
    private static readonly TimeSpan AfterOutage = TimeSpan.FromMilliseconds(500);

    private readonly ReportRoom _room = new(MostBytesWaiting);

    // Bounded, so that a database that is slow slows its agents and not this process's memory.
    private readonly Channel<Report> _reports = Channel.CreateBounded<Report>(new BoundedChannelOptions(20_000) { SingleReader = true });

    public async ValueTask ReportAsync(Report report, CancellationToken token)
    {
        await _room.EnterAsync(report, token);
        try
        {
            await _reports.Writer.WriteAsync(report, token);
        }
        catch
        {
            _room.Leave([report]);
            throw;
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        _room.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        metrics.Waiting(() => _reports.Reader.Count);
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

        [LoggerMessage(EventId = 353, Level = LogLevel.Error, Message = "The report of attempt {Attempt} could not be kept as evidence either: the stream of agent {Agent} ends, which will send it again")]
        public static partial void NotKept(ILogger logger, Guid attempt, string agent, Exception error);
    }
}
