using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace KpiControl.Jobs.Evidence;

/// <summary>The lines of an export, one JSON object each: a header, each link with its rows and checkpoint, an end.</summary>
public static class ExportLine
{
    /// <summary>The header's <c>format</c>.</summary>
    public const string Format = "kpicontrol-audit-export/1";

    public static string Header(string tenant, long fromSeq, string previousHash) => Write(new JsonObject
    {
        ["format"] = Format, ["tenant"] = tenant, ["from_seq"] = Text(fromSeq), ["prev_hash"] = previousHash,
    });

    public static string Link(ChainLink link) => Write(new JsonObject
    {
        ["link"] = new JsonObject
        {
            ["tenant"] = link.Tenant, ["seq"] = Text(link.Seq), ["linked_at"] = link.LinkedAt, ["prev_hash"] = link.PreviousHash,
            ["rows"] = new JsonArray([.. link.RowHashes.Select(hash => JsonValue.Create(hash))]), ["hash"] = link.Hash(),
        },
    });

    /// <param name="canonical">The row's RFC 8785 form, which is what its hash is taken over.</param>
    public static string Row(string canonical) => $"{{\"row\":{canonical}}}";

    public static string Checkpoint(ChainCheckpoint checkpoint, byte[] signature) => Write(new JsonObject
    {
        ["checkpoint"] = new JsonObject
        {
            ["tenant"] = checkpoint.Tenant, ["seq"] = Text(checkpoint.Seq), ["hash"] = checkpoint.Hash, ["signed_at"] = checkpoint.SignedAt,
            ["key_id"] = checkpoint.KeyId, ["signature"] = Convert.ToBase64String(signature),
        },
    });

    public static string End(ExportEnd end, byte[] signature) => Write(new JsonObject
    {
        ["end"] = new JsonObject
        {
            ["tenant"] = end.Tenant, ["from_seq"] = Text(end.FromSeq), ["links"] = Text(end.Links), ["rows"] = Text(end.Rows), ["last_hash"] = end.LastHash,
            ["exported_at"] = end.ExportedAt, ["key_id"] = end.KeyId, ["signature"] = Convert.ToBase64String(signature),
        },
    });

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Write(JsonObject line) => line.ToJsonString(Compact);

    private static readonly JsonSerializerOptions Compact = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
