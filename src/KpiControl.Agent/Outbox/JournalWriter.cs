using System.Buffers;
using System.Threading.Channels;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Outbox;

/// <summary>One thing for the writer to do; <paramref name="Done"/> completes when it is on disk.</summary>
internal sealed record JournalWrite(RecordKind Kind, byte[] Payload, Finished? Result = null, TaskCompletionSource? Done = null);

/// <summary>
/// The only writer of the journal. Group commit: whatever has gathered while the last fsync ran goes into the next one,
/// so a slow disk makes larger batches, not fewer results. While the disk refuses, the batch is tried again for ever.
/// </summary>
internal sealed partial class JournalWriter(Journal journal, OutboxIndex index, OutboxOptions options, TimeProvider time, ILogger log)
{
    private const int MaxBatchBytes = 4 << 20;
    private readonly Channel<JournalWrite> queue = Channel.CreateUnbounded<JournalWrite>(new() { SingleReader = true });
    private readonly ArrayBufferWriter<byte> buffer = new(1 << 16);
    private readonly List<JournalWrite> batch = [];

    /// <summary>False while the disk refuses: the agent takes no lease then.</summary>
    public bool Writable { get; private set; } = true;
    public event Action? WritableChanged;
    public event Action? Journaled;

    public void Enqueue(JournalWrite write) => queue.Writer.TryWrite(write);

    public void Complete() => queue.Writer.TryComplete();

    /// <summary>True when a batch is on disk; false when the queue is complete and empty.</summary>
    public async Task<bool> WriteNextAsync(CancellationToken stopping)
    {
        if (!await queue.Reader.WaitToReadAsync(CancellationToken.None))
            return false;
        Gather();
        (JournalSegment Segment, long Offset) at;
        while (!TryAppend(out at))
        {
            await Task.Delay(options.RetryEvery, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (stopping.IsCancellationRequested && !TryAppend(out at))
            {
                GiveUp();
                return true;
            }
        }
        Publish(at.Segment, at.Offset);
        return true;
    }

    private void Gather()
    {
        batch.Clear();
        buffer.ResetWrittenCount();
        while (buffer.WrittenCount < MaxBatchBytes && queue.Reader.TryRead(out var write))
        {
            JournalRecord.Write(buffer, write.Kind, write.Payload);
            batch.Add(write);
        }
    }

    private bool TryAppend(out (JournalSegment, long) at)
    {
        at = default;
        try
        {
            // An acknowledgement that is lost in a crash costs one repeated report, so it waits for no disk.
            at = journal.Append(buffer.WrittenSpan, durable: batch.Exists(w => w.Kind != RecordKind.Acknowledged));
            SetWritable(true, "");
            return true;
        }
        // A file-size limit (EFBIG) arrives as ArgumentOutOfRangeException.
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            SetWritable(false, e.Message.ReplaceLineEndings(" "));
            return false;
        }
    }

    private void Publish(JournalSegment segment, long offset)
    {
        foreach (var write in batch)
        {
            if (write.Result is not null)
                index.Add(OutboxEntry.At(segment, offset + JournalRecord.HeaderBytes, write.Payload.Length, write.Result));
            offset += JournalRecord.HeaderBytes + write.Payload.Length;
            write.Done?.TrySetResult();
        }
        if (batch.Exists(w => w.Result is not null))
            Journaled?.Invoke();
    }

    private void GiveUp()
    {
        var results = batch.Count(w => w.Result is not null);
        if (results > 0)
            Log.GaveUp(log, results, options.Directory);
        batch.ForEach(w => w.Done?.TrySetCanceled(CancellationToken.None));
    }

    private void SetWritable(bool writable, string problem)
    {
        if (writable == Writable)
            return;
        Writable = writable;
        if (writable)
            Log.WritableAgain(log, options.Directory);
        else
            Log.Unwritable(log, options.Directory, problem, options.RetryEvery);
        WritableChanged?.Invoke();
    }

    private static partial class Log
    {
        [LoggerMessage(1111, LogLevel.Error, "The outbox in {Directory} cannot be written ({Problem}): no more leases are taken, finished results wait in memory and the write is tried again every {Every}. Free space there, or enlarge the volume.")]
        public static partial void Unwritable(ILogger log, string directory, string problem, TimeSpan every);

        [LoggerMessage(1112, LogLevel.Information, "The outbox in {Directory} takes writes again: leases are taken again.")]
        public static partial void WritableAgain(ILogger log, string directory);

        [LoggerMessage(1113, LogLevel.Error, "The agent stops while the outbox in {Directory} cannot be written: {Results} finished results are given up; the control plane will hand their occurrences out again.")]
        public static partial void GaveUp(ILogger log, int results, string directory);
    }
}
