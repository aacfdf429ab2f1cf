using System.Text.Json.Nodes;

namespace KpiControl.Jobs.Evidence;

/// <summary>A row of the chain, as it was exported.</summary>
internal sealed class ChainedRow(JsonObject row)
{
    private JsonNode? _after;
    private bool _read;

    public string? this[string member] => CanonicalJson.Text(row[member]);

    public JsonObject? After
    {
        get
        {
            if (!_read)
                (_after, _read) = (Json("after"), true);
            return _after as JsonObject;
        }
    }

    public JsonNode? Json(string member) => CanonicalJson.ReadAny(this[member]);

    /// <summary>A text within <c>after</c>.</summary>
    public string? Said(string name) => CanonicalJson.Text(After, name);

    public bool IsOf(string objectKind, string? objectId) => this["table"] == "audit" && this["object_kind"] == objectKind && this["object_id"] == objectId;
}
