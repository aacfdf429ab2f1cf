using System.Diagnostics.CodeAnalysis;
using Google.Protobuf;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Options;

namespace KpiControl.Agent.Outbox;

/// <summary>
/// Finished results, on disk until the control plane has recorded them. A result's identity is its attempt's id; it is
/// sent again with the bytes that were journaled. README.md has the format and what survives what.
/// </summary>
internal sealed partial class Outbox(IOptions<OutboxOptions> options, TimeProvider time, ILogger<Outbox> log) : BackgroundService
{
    private static readonly TimeSpan CompactEvery = TimeSpan.FromMinutes(10);
    private readonly OutboxIndex index = new();
    private readonly Lock files = new();
    private OutboxDirectory? directory;
    private Journal journal = null!;
    private JournalWriter? writer;
    private Compaction compaction = null!;
    private int epoch;

    /// <summary>The agent's identity: it lives and moves with the directory.</summary>
    public Guid Instance => directory?.Instance ?? throw new InvalidOperationException("The outbox is not open.");
    public bool Writable => writer?.Writable == true;
    /// <summary>Results that the control plane has not acknowledged.</summary>
    public int Waiting => index.Count;

    /// <summary>Something may be sent, or the disk's mood changed.</summary>
    public event Action? Changed;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        Open();
        return base.StartAsync(cancellationToken);
    }

    /// <exception cref="OutboxUnavailableException">In use, or the disk refuses.</exception>
    public void Open()
    {
        if (directory is not null)
            return;
        directory = OutboxDirectory.Open(options.Value.Directory);
        journal = new Journal(directory.Path, options.Value.SegmentBytes);
        epoch = JournalReplay.Load(journal, index, log);
        writer = new JournalWriter(journal, index, options.Value, time, log);
        compaction = new Compaction(journal, index, options.Value, time, files);
        writer.WritableChanged += () => Changed?.Invoke();
        writer.Journaled += () => Changed?.Invoke();
        writer.Enqueue(new JournalWrite(RecordKind.Opened, []));
        Log.Opened(log, directory.Path, directory.Instance, index.Count);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var stopped = stoppingToken.Register(writer!.Complete);
        var (compactedAt, files) = (time.GetTimestamp(), journal.All.Count);
        while (await writer.WriteNextAsync(stoppingToken))
        {
            if (time.GetElapsedTime(compactedAt) < CompactEvery && journal.All.Count == files)
                continue;
            TryCompact();
            (compactedAt, files) = (time.GetTimestamp(), journal.All.Count);
        }
    }

    private void TryCompact()
    {
        try
        {
            compaction.Run();
        }
        catch (IOException e)
        {
            Log.NotCompacted(log, journal.All.Count, e.Message);
        }
    }

    /// <summary>Returns when the result is on disk; waits while the disk refuses it.</summary>
    public Task JournalAsync(Finished finished)
    {
        var bytes = ResultSize.Bound(finished, options.Value.MaxResultBytes).ToByteArray();
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        writer!.Enqueue(new JournalWrite(RecordKind.Result, bytes, finished, done));
        return done.Task;
    }

    public void Acknowledge(string attemptId, FinishedAck.Types.Outcome outcome)
    {
        if (!index.Remove(attemptId))
            return;
        writer!.Enqueue(new JournalWrite(RecordKind.Acknowledged, AckRecord.Payload(attemptId, outcome)));
        Changed?.Invoke();
    }

    /// <summary>A stream begins: send everything again.</summary>
    public void Rewind() => index.Rewind();

    /// <param name="result">A serialised <see cref="Finished"/>, as it was journaled.</param>
    public bool TryNext([NotNullWhen(true)] out string? attemptId, [NotNullWhen(true)] out byte[]? result)
    {
        (attemptId, result) = (null, null);
        if (!index.TryNextUnsent(out var entry))
            return false;
        attemptId = entry.Held.AttemptId;
        // Compaction may move a record and delete its file; under this lock the place is right.
        lock (files) result = entry.Read();
        return true;
    }

    public List<HeldAttempt> Held(int newest) => index.Held(newest);

    /// <summary>The cluster epoch of a fence; one of an earlier epoch says nothing.</summary>
    public void SeenEpoch(int seen)
    {
        if (seen > epoch)
            Welcomed(seen);
    }

    /// <summary>
    /// The cluster epoch as Welcome tells it; 0 where it does not. Another one than before, and the database may have lost its
    /// tail (a lower one: an old backup is in place): everything that was recorded and is still kept is offered again; what
    /// control has, it answers as recorded before.
    /// </summary>
    public void Welcomed(int seen)
    {
        if (seen == 0)
            return;
        var known = Interlocked.Exchange(ref epoch, seen);
        if (known == 0 || seen == known)
            return;
        List<OutboxEntry> again;
        lock (files) again = JournalReplay.Recorded(journal);
        again.ForEach(index.Add);
        Log.OfferedAgain(log, known, seen, again.Count);
        Changed?.Invoke();
    }

    public override void Dispose()
    {
        journal?.Dispose();
        directory?.Dispose();
        base.Dispose();
    }

    private static partial class Log
    {
        [LoggerMessage(1121, LogLevel.Information, "Outbox {Path} is open: instance {Instance}, {Waiting} results wait for the control plane.")]
        public static partial void Opened(ILogger log, string path, Guid instance, int waiting);

        [LoggerMessage(1122, LogLevel.Warning, "The outbox's {Files} files could not be compacted ({Problem}); tried again later.")]
        public static partial void NotCompacted(ILogger log, int files, string problem);

        [LoggerMessage(1123, LogLevel.Warning, "The cluster epoch was {Known} and is {Seen}: {Count} recorded results are offered again.")]
        public static partial void OfferedAgain(ILogger log, int known, int seen, int count);
    }
}
