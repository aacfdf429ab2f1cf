using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Evidence;

/// <summary>What a run's values are known by, however they are stored or spelled since.</summary>
public static class EvidenceValues
{
    /// <summary><c>sha256:…</c> over the RFC 8785 form of the report's <c>points</c>.</summary>
    public static string DigestOf(JsonNode points) => ContentHash.OfCanonicalJson(Jcs.Write(points));
}
