using System.Globalization;
using System.Text.Json.Nodes;
using Google.Protobuf;
using KpiControl.Jobs.Evidence;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Witness;

/// <summary>
/// Checkpoints on this machine's disk, as lines that <c>kpictl audit verify --kept</c> reads: of each tenant one a day, and the latest. What is
/// contradicted stays; only what the chain goes through takes its place.
/// </summary>
internal sealed class KeptCheckpoints(string file)
{
    private const int MostOfATenant = 400;

    private readonly List<Checkpoint> lines = Read(file);

    /// <summary>Of each tenant.</summary>
    public IReadOnlyList<Checkpoint> Latest => [.. lines.GroupBy(line => line.Tenant, StringComparer.Ordinal).Select(of => of.Last())];

    /// <summary>Null: the chain is told to go on from what is remembered. Else why it cannot, in words.</summary>
    public string? Contradicts(Checkpoint told) => lines.FindLast(line => line.Tenant == told.Tenant) switch
    {
        null => null,
        var kept when told.Seq < kept.Seq => FormattableString.Invariant($"it ends at link {told.Seq}, signed at {told.SignedAt}, and had come to link {kept.Seq} at {kept.SignedAt}"),
        var kept when told.Seq == kept.Seq && told.Hash != kept.Hash => FormattableString.Invariant($"its link {kept.Seq} is another one than at {kept.SignedAt}"),
        _ => null,
    };

    /// <exception cref="IOException">The disk refuses; what was remembered before still is.</exception>
    public void Keep(Checkpoint told)
    {
        var of = lines.Where(line => line.Tenant == told.Tenant).ToList();
        if (of.LastOrDefault() is { } last && last.Seq >= told.Seq)
            return;
        // The latest is only kept where it is the first of its day.
        if (of.Count > 1 && Day(of[^1]) == Day(of[^2]))
            lines.Remove(of[^1]);
        else if (of.Count >= MostOfATenant)
            lines.Remove(of[0]);
        lines.Add(told);
        var draft = file + ".new";
        File.WriteAllLines(draft, lines.Select(line => ExportLine.Checkpoint(new ChainCheckpoint(line.Tenant, line.Seq, line.Hash, line.SignedAt, line.KeyId), line.Signature.ToByteArray()).TrimEnd('\n')));
        File.Move(draft, file, overwrite: true);
    }

    private static string Day(Checkpoint line) => line.SignedAt[..Math.Min(10, line.SignedAt.Length)];

    // A line that is none was no checkpoint: a disk that was full, an editor.
    private static List<Checkpoint> Read(string file) => File.Exists(file) ? [.. File.ReadLines(file).Select(Parse).OfType<Checkpoint>()] : [];

    private static Checkpoint? Parse(string line)
    {
        try
        {
            var item = JsonNode.Parse(line)!["checkpoint"]!;
            string Text(string name) => item[name]!.GetValue<string>();
            return new Checkpoint
            {
                Tenant = Text("tenant"), Seq = long.Parse(Text("seq"), CultureInfo.InvariantCulture), Hash = Text("hash"), SignedAt = Text("signed_at"), KeyId = Text("key_id"), Signature = ByteString.FromBase64(Text("signature")),
            };
        }
        catch (Exception broken) when (broken is System.Text.Json.JsonException or NullReferenceException or InvalidOperationException or FormatException or OverflowException)
        {
            return null;
        }
    }
}
