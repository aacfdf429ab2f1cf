using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Evidence;

/// <summary>What a bundle's signature says: an in-toto statement that names each document by the hash of its line.</summary>
/// <param name="Scope">What was asked for, by name.</param>
/// <param name="Subjects">The documents, in the order of their lines.</param>
/// <param name="Edition">Of the format: from the second on the contracts of the tables that were built are among the documents.</param>
public sealed record EvidenceStatement(string Tenant, string ExportedAt, string ExportedBy, IReadOnlyDictionary<string, string> Scope, IReadOnlyList<EvidenceSubject> Subjects, int Edition = EvidenceStatement.Latest)
{
    private const int Latest = 2;
    private const string Type = "https://in-toto.io/Statement/v1";

    private string PredicateType => TypeOf(Edition);

    public byte[] ToBytes() => Encoding.UTF8.GetBytes(Jcs.Write(new JsonObject
    {
        ["_type"] = Type, ["predicateType"] = PredicateType,
        ["predicate"] = new JsonObject
        {
            ["tenant"] = Tenant, ["exported_at"] = ExportedAt, ["exported_by"] = ExportedBy,
            ["scope"] = new JsonObject(Scope.Select(member => KeyValuePair.Create(member.Key, (JsonNode?)member.Value))),
        },
        ["subject"] = new JsonArray([.. Subjects.Select(s => new JsonObject { ["name"] = s.Name, ["digest"] = new JsonObject { ["sha256"] = s.Sha256 } })]),
    }));

    /// <summary>Null where the bytes are no such statement in its one spelling.</summary>
    public static EvidenceStatement? Read(string text)
    {
        if (CanonicalJson.Read(text) is not { } item || CanonicalJson.Unlike(item, "_type", "predicate", "predicateType", "subject") is not null
            || CanonicalJson.Text(item["_type"]) != Type || EditionOf(CanonicalJson.Text(item["predicateType"])) is not { } edition
            || item["predicate"] is not JsonObject predicate || CanonicalJson.Unlike(predicate, "exported_at", "exported_by", "scope", "tenant") is not null
            || predicate["scope"] is not JsonObject scope || scope.Any(member => CanonicalJson.Text(member.Value) is null) || item["subject"] is not JsonArray subjects
            || CanonicalJson.Text(predicate["tenant"]) is not { } tenant || CanonicalJson.Text(predicate["exported_at"]) is not { } at || CanonicalJson.Text(predicate["exported_by"]) is not { } by)
            return null;
        var read = subjects.Select(Subject).OfType<EvidenceSubject>().ToList();
        return read.Count == subjects.Count ? new EvidenceStatement(tenant, at, by, scope.ToDictionary(m => m.Key, m => CanonicalJson.Text(m.Value)!), read, edition) : null;
    }

    private static string TypeOf(int edition) => string.Create(CultureInfo.InvariantCulture, $"urn:kpicontrol:evidence:{edition}");

    private static int? EditionOf(string? type) => Enumerable.Range(1, Latest).Where(edition => TypeOf(edition) == type).Select(edition => (int?)edition).FirstOrDefault();

    private static EvidenceSubject? Subject(JsonNode? node) =>
        node is JsonObject item && CanonicalJson.Unlike(item, "digest", "name") is null && CanonicalJson.Text(item["name"]) is { } name
        && item["digest"] is JsonObject digest && CanonicalJson.Unlike(digest, "sha256") is null && CanonicalJson.Text(digest["sha256"]) is { } hash
            ? new EvidenceSubject(name, hash)
            : null;
}

/// <param name="Sha256">Over the bytes of the document's line, lower-case hex.</param>
public sealed record EvidenceSubject(string Name, string Sha256)
{
    public static EvidenceSubject Of(string name, string line) => new(name, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(line))));
}
