using KpiControl.Agent.Outbox;
using KpiControl.Agent.Tests.Hosting;
using KpiControl.Agent.Tests.Leasing;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace KpiControl.Agent.Tests.Outbox;

public sealed class JournalTests : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("kpi-outbox-test-").FullName;
    private readonly LogLines lines = new();
    private readonly OutboxOptions options = new() { SegmentBytes = 4096, MaxResultBytes = 1 << 16 };

    public JournalTests() => options.Directory = directory;

    public void Dispose() => Directory.Delete(directory, recursive: true);

    private async Task<Agent.Outbox.Outbox> OpenAsync()
    {
        var outbox = new Agent.Outbox.Outbox(Options.Create(options), TimeProvider.System, new Logger<Agent.Outbox.Outbox>(new LoggerFactory([lines])));
        await outbox.StartAsync(Patience.Token());
        return outbox;
    }

    private static async Task CloseAsync(Agent.Outbox.Outbox outbox)
    {
        await outbox.StopAsync(Patience.Token());
        outbox.Dispose();
    }

    private static Finished Result(int size = 10) => new()
    {
        AttemptId = Guid.CreateVersion7().ToString(),
        BindingId = 7,
        Fence = new Fence { Epoch = 1, Number = 1 },
        Status = "success",
        Warnings = { new string('w', size) },
    };

    private static List<Finished> Unsent(Agent.Outbox.Outbox outbox)
    {
        outbox.Rewind();
        var all = new List<Finished>();
        while (outbox.TryNext(out _, out var result))
            all.Add(Finished.Parser.ParseFrom(result));
        return all;
    }

    private async Task<Finished[]> JournalAsync(int count)
    {
        var outbox = await OpenAsync();
        var results = Enumerable.Range(0, count).Select(_ => Result()).ToArray();
        foreach (var result in results)
            await outbox.JournalAsync(result);
        await CloseAsync(outbox);
        return results;
    }

    private string Newest => Directory.GetFiles(directory, "journal-*.log").Order().Last();

    [Fact]
    public async Task Results_outlive_the_process_in_their_order()
    {
        var results = await JournalAsync(5);

        var outbox = await OpenAsync();

        Assert.Equal(results, Unsent(outbox));
        Assert.Equal(results.Select(r => r.AttemptId), outbox.Held(100).Select(h => h.AttemptId));
        await CloseAsync(outbox);
    }

    [Fact]
    public async Task The_identity_lives_in_the_directory()
    {
        var outbox = await OpenAsync();
        var instance = outbox.Instance;
        await CloseAsync(outbox);

        outbox = await OpenAsync();

        Assert.Equal(instance, outbox.Instance);
        await CloseAsync(outbox);
    }

    [Fact]
    public async Task A_record_torn_at_any_byte_is_dropped_and_the_earlier_ones_survive()
    {
        var results = await JournalAsync(3);
        var whole = await File.ReadAllBytesAsync(Newest);
        var last = whole.AsSpan().LastIndexOf(JournalRecord.Magic);
        for (var length = last + 1; length < whole.Length; length += 7)
        {
            await File.WriteAllBytesAsync(Newest, whole[..length]);
            var journal = new Journal(directory, 4096);
            var index = new OutboxIndex();
            JournalReplay.Load(journal, index, new LoggerFactory([lines]).CreateLogger("t"));
            Assert.Equal(results[..2].Select(r => r.AttemptId), index.Held(9).Select(h => h.AttemptId));
            journal.Dispose();
        }
        Assert.Contains("is damaged from byte", lines.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_flipped_bit_costs_its_record_alone()
    {
        var results = await JournalAsync(3);
        var bytes = await File.ReadAllBytesAsync(Newest);
        // The second result's status, in the middle of the file.
        var second = bytes.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(results[1].AttemptId));
        bytes[second + 5] ^= 0x10;
        await File.WriteAllBytesAsync(Newest, bytes);

        var outbox = await OpenAsync();

        Assert.Equal([results[0], results[2]], Unsent(outbox));
        await CloseAsync(outbox);
    }

    [Fact]
    public async Task New_results_after_a_torn_end_are_not_lost_with_it()
    {
        await JournalAsync(2);
        await using (var stream = new FileStream(Newest, FileMode.Open))
            stream.SetLength(stream.Length - 3);
        var later = await JournalAsync(1);

        var outbox = await OpenAsync();

        Assert.Equal(later[0], Unsent(outbox)[^1]);
        Assert.Equal(2, Unsent(outbox).Count);
        await CloseAsync(outbox);
    }

    [Fact]
    public async Task An_acknowledged_result_does_not_come_back()
    {
        var outbox = await OpenAsync();
        var (kept, done) = (Result(), Result());
        await outbox.JournalAsync(done);
        await outbox.JournalAsync(kept);
        outbox.Acknowledge(done.AttemptId, FinishedAck.Types.Outcome.Recorded);
        Assert.Equal([kept], Unsent(outbox));
        await CloseAsync(outbox);

        outbox = await OpenAsync();

        Assert.Equal([kept], Unsent(outbox));
        await CloseAsync(outbox);
    }

    [Fact]
    public async Task Compaction_deletes_old_files_and_keeps_what_waits()
    {
        options.KeepBytes = 0;
        var outbox = await OpenAsync();
        var waiting = Result();
        await outbox.JournalAsync(waiting);
        for (var i = 0; i < 200; i++)
        {
            var done = Result(500);
            await outbox.JournalAsync(done);
            outbox.Acknowledge(done.AttemptId, FinishedAck.Types.Outcome.Recorded);
        }
        await outbox.JournalAsync(Result());
        await CloseAsync(outbox);
        Assert.InRange(Directory.GetFiles(directory, "journal-*.log").Length, 1, 3);

        outbox = await OpenAsync();

        Assert.Equal(waiting.AttemptId, Unsent(outbox)[0].AttemptId);
        Assert.Equal(2, outbox.Waiting);
        await CloseAsync(outbox);
    }

    [Fact]
    public async Task Many_results_at_once_are_all_there_afterwards()
    {
        options.SegmentBytes = 1 << 20;
        var outbox = await OpenAsync();
        var results = Enumerable.Range(0, 3000).Select(_ => Result(200)).ToArray();
        await Parallel.ForEachAsync(results, new ParallelOptions { MaxDegreeOfParallelism = 500 }, async (r, _) => await outbox.JournalAsync(r));
        await CloseAsync(outbox);

        outbox = await OpenAsync();

        Assert.Equal(results.Select(r => r.AttemptId).Order(), Unsent(outbox).Select(r => r.AttemptId).Order());
        await CloseAsync(outbox);
    }

    [Fact]
    public async Task A_result_that_no_message_can_carry_loses_its_sample_and_says_so()
    {
        var outbox = await OpenAsync();
        var result = Result();
        for (var i = 0; i < 5000; i++)
            result.Points.Add(new DataPoint { Period = "2026-01", Metric = "dso_days", Value = i });
        await outbox.JournalAsync(result);

        var sent = Assert.Single(Unsent(outbox));
        Assert.Empty(sent.Points);
        Assert.Contains(sent.Warnings, w => w.Contains("5000 data points", StringComparison.Ordinal));
        await CloseAsync(outbox);
    }

    [Fact]
    public async Task A_directory_in_use_is_refused()
    {
        var outbox = await OpenAsync();

        var refused = Assert.Throws<OutboxUnavailableException>(() => OutboxDirectory.Open(directory));

        Assert.Contains("Another process holds", refused.Message, StringComparison.Ordinal);
        await CloseAsync(outbox);
    }
}
