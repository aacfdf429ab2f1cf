using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace KpiControl.Jobs.Evidence;

/// <summary>
/// Reads an export line by line and says what is not as it was written: rows that were changed, taken out, added or moved,
/// links that do not follow each other, an end that is missing, a checkpoint that is not the chain's or not signed by the key.
/// </summary>
/// <param name="keys">
/// The public keys, had from elsewhere than the export: the present one and those before it, each asked for what was signed under its name;
/// none: signatures are not looked at.
/// </param>
/// <param name="kept">Checkpoints that were kept elsewhere; the chain must go through each within the export's range.</param>
public sealed class ExportVerifier(IReadOnlyList<ECDsa> keys, IReadOnlyList<ChainCheckpoint> kept)
{
    private const int MostFindings = 100;
    private readonly List<string> _findings = [];
    private readonly Dictionary<long, string> _hashes = [];
    private string _tenant = "", _previousHash = "";
    private long _from = 1, _next = 1, _links, _rows, _line;
    private ChainLink? _open;
    private int _openRows;
    private bool _begun, _ended;

    /// <summary>What was found so far, at most 100; empty after <see cref="End"/>: nothing is wrong.</summary>
    public IReadOnlyList<string> Findings => _findings;

    /// <summary>Links and rows read.</summary>
    public (long Links, long Rows) Counted => (_links, _rows);

    /// <summary>The last link under a checkpoint that was signed by one of the keys; 0: none was.</summary>
    public long SignedThrough { get; private set; }

    /// <summary>Takes the next line, without its line end.</summary>
    public void Read(string line)
    {
        _line++;
        JsonObject? item;
        try
        {
            item = JsonNode.Parse(line) as JsonObject;
            _ = item?.Count; // Properties are read lazily: a name that stands twice shows here.
        }
        catch (Exception broken) when (broken is JsonException or ArgumentException)
        {
            item = null;
        }
        if (item is null)
            Find($"line {_line} is not a JSON object");
        else
            Take(item);
    }

    /// <summary>Nothing follows.</summary>
    public void End()
    {
        CloseLink();
        if (!_begun)
            Find("the export is empty: not even its header is there");
        if (!_ended)
            Find("the export was cut off: its last line is missing");
        foreach (var checkpoint in kept.Where(c => c.Tenant == _tenant && c.Seq >= _from))
            if (_hashes.GetValueOrDefault(checkpoint.Seq) is not { } hash)
                Find($"the kept checkpoint of link {checkpoint.Seq} is not reached: the chain ends at link {_next - 1}");
            else if (hash != checkpoint.Hash)
                Find($"the chain was written anew: link {checkpoint.Seq} is not the one of the kept checkpoint of {checkpoint.SignedAt}");
    }

    private void Take(JsonObject item)
    {
        try
        {
            if (_ended)
                Find($"line {_line} stands after the end");
            else if (!_begun)
                Begin(item);
            else if (item.Count != 1)
                Find($"line {_line} holds more than one thing");
            else if (item["link"] is JsonObject link)
                Link(link);
            else if (item["row"] is JsonObject row)
                Row(row);
            else if (item["checkpoint"] is JsonObject checkpoint)
                Checkpoint(checkpoint);
            else if (item["end"] is JsonObject end)
                TakeEnd(end);
            else
                Find($"line {_line} is neither link, row, checkpoint nor end");
        }
        catch (Exception broken) when (broken is FormatException or InvalidOperationException or OverflowException or ArgumentException)
        {
            Find($"line {_line} lacks a member or has one of another type");
        }
    }

    private void Begin(JsonObject header)
    {
        _begun = true;
        Demand(header, "format", "tenant", "from_seq", "prev_hash");
        if (Text(header, "format") != ExportLine.Format)
            Find($"line 1 is not the header of an export ({ExportLine.Format})");
        (_tenant, _from, _previousHash) = (Text(header, "tenant"), Number(header, "from_seq"), Text(header, "prev_hash"));
        _next = _from;
        if (_from == 1 && _previousHash != ChainLink.Genesis)
            Find("the first link does not begin the chain");
    }

    private void Link(JsonObject item)
    {
        CloseLink();
        Demand(item, "tenant", "seq", "linked_at", "prev_hash", "rows", "hash");
        var link = new ChainLink(Text(item, "tenant"), Number(item, "seq"), Text(item, "linked_at"), Text(item, "prev_hash"),
            [.. (item["rows"] as JsonArray ?? throw new FormatException()).Select(hash => hash!.GetValue<string>())]);
        var hash = link.Hash();
        if (link.Tenant != _tenant)
            Find($"link {link.Seq} is of the chain of {link.Tenant}, not of {_tenant}");
        if (link.Seq != _next)
            Find(link.Seq > _next ? $"links {_next} to {link.Seq - 1} are missing" : $"link {link.Seq} stands where link {_next} belongs");
        else if (link.PreviousHash != _previousHash)
            Find($"link {link.Seq} does not follow the link before it: one of the two was changed");
        if (hash != Text(item, "hash"))
            Find($"link {link.Seq} was changed");
        _hashes[link.Seq] = hash;
        (_open, _openRows, _previousHash, _next) = (link, 0, hash, link.Seq + 1);
        _links++;
    }

    private void Row(JsonObject row)
    {
        _rows++;
        var name = $"{Text(row, "table")} {Text(row, "id")}";
        if (_open is null || _openRows >= _open.RowHashes.Count)
            Find($"{name} (line {_line}) is in no link: it was added, or a link lost it");
        else if (ChainLink.HashOf(row) != _open.RowHashes[_openRows])
            Find($"{name} (line {_line}, row {_openRows + 1} of link {_open.Seq}) was changed or moved");
        _openRows++;
    }

    private void Checkpoint(JsonObject item)
    {
        CloseLink();
        Demand(item, "tenant", "seq", "hash", "signed_at", "key_id", "signature");
        var checkpoint = new ChainCheckpoint(Text(item, "tenant"), Number(item, "seq"), Text(item, "hash"), Text(item, "signed_at"), Text(item, "key_id"));
        if (checkpoint.Tenant != _tenant)
            Find($"the checkpoint of link {checkpoint.Seq} is of the chain of {checkpoint.Tenant}");
        else if ((_hashes.GetValueOrDefault(checkpoint.Seq) ?? (checkpoint.Seq == _from - 1 ? _previousHash : null)) != checkpoint.Hash)
            Find($"the checkpoint of link {checkpoint.Seq} is of another link than the one that stands there: the chain was changed after it was signed");
        if (keys.Count == 0)
            return;
        if (IsSigned(checkpoint.KeyId, checkpoint.ToSign(), item))
            SignedThrough = Math.Max(SignedThrough, checkpoint.Seq);
        else
            Find($"the checkpoint of link {checkpoint.Seq} is not signed by {Named}");
    }

    private void TakeEnd(JsonObject item)
    {
        CloseLink();
        _ended = true;
        Demand(item, "tenant", "from_seq", "links", "rows", "last_hash", "exported_at", "key_id", "signature");
        var end = new ExportEnd(Text(item, "tenant"), Number(item, "from_seq"), Number(item, "links"), Number(item, "rows"), Text(item, "last_hash"),
            Text(item, "exported_at"), Text(item, "key_id"));
        if (end.Links != _links)
            Find($"{end.Links} links were exported, {_links} are here");
        if (end.Rows != _rows)
            Find($"{end.Rows} rows were exported, {_rows} are here");
        if ((end.Tenant, end.FromSeq, end.LastHash) != (_tenant, _from, _previousHash))
            Find("the end is of another export than the beginning");
        if (keys.Count > 0 && !IsSigned(end.KeyId, end.ToSign(), item))
            Find($"the end is not signed by {Named}: what came before it may have been cut short");
    }

    private string Named => $"the key {string.Join(" or ", keys.Select(ChainSignature.IdOf))}";

    private bool IsSigned(string keyId, byte[] toSign, JsonObject item) => Signature(item) is var signature && keys.Any(key => ChainSignature.Is(key, keyId, toSign, signature));

    // What is neither hashed nor signed could say anything.
    private void Demand(JsonObject item, params string[] members)
    {
        if (item.Select(member => member.Key).Except(members).FirstOrDefault() is { } unknown)
            Find($"line {_line} has a member that no hash covers: {(unknown.Length > 40 ? unknown[..40] + "…" : unknown)}");
    }

    private void CloseLink()
    {
        if (_open is { } link && _openRows < link.RowHashes.Count)
            Find($"link {link.Seq} names {link.RowHashes.Count} rows, {_openRows} are here: the others were taken out");
        _open = null;
    }

    private void Find(string finding)
    {
        if (_findings.Count < MostFindings)
            _findings.Add(finding);
    }

    private static string Text(JsonObject item, string name) => item[name]?.GetValue<string>() ?? throw new FormatException(name);

    private static byte[] Signature(JsonObject item) => Convert.FromBase64String(Text(item, "signature"));

    private static long Number(JsonObject item, string name) => long.Parse(Text(item, name), NumberStyles.None, CultureInfo.InvariantCulture);
}
