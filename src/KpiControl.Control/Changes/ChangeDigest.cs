using System.Text.Json.Nodes;
using KpiControl.Control.Authoring;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Changes;

/// <summary>What an approval signs: the content, where it goes, and what it was looked at against; nothing that time alone changes.</summary>
internal sealed record ChangeDigest
{
    public required string ContentHash { get; init; }
    public required string Binding { get; init; }
    public required string Environment { get; init; }
    public required string Region { get; init; }
    public required string ContractDigest { get; init; }
    public required int Revision { get; init; }
    public required int PolicyVersion { get; init; }
    public int? CalendarVersion { get; init; }
    public JsonObject? TableContracts { get; init; }
    public bool Removes { get; init; }

    public static string Of(NewChange change) => Jobs.Artifacts.ContentHash.OfCanonicalJson(new ChangeDigest
    {
        ContentHash = change.ContentHash, Binding = $"{change.TenantId}/{change.Environment}/{change.JobId}", Environment = change.Environment, Region = change.Region, ContractDigest = change.ContractDigest,
        Revision = change.BaseRevision, PolicyVersion = change.PolicyVersion, CalendarVersion = change.CalendarVersion, TableContracts = Changes.TableContracts.Parsed(change.TableContracts), Removes = change.Kind == Proposals.Removal,
    }.Canonical());

    /// <summary>As it would be of what is stored, against what stands now.</summary>
    public static string Of(ChangeRow change) => Jobs.Artifacts.ContentHash.OfCanonicalJson((AsProposed(change) with
    {
        Revision = change.RevisionNow, PolicyVersion = change.PolicyVersionNow, CalendarVersion = change.CalendarVersionNow, TableContracts = Changes.TableContracts.Of(change.Tables, change.UsableTables),
    }).Canonical());

    /// <summary>What was agreed to, in the form that the digest is taken over.</summary>
    public static string Signed(ChangeRow change) => AsProposed(change).Canonical();

    private static ChangeDigest AsProposed(ChangeRow change) => new()
    {
        ContentHash = change.ContentHash, Binding = $"{change.TenantId}/{change.Environment}/{change.JobId}", Environment = change.Environment, Region = change.Region, ContractDigest = change.ContractDigest,
        Revision = change.BaseRevision, PolicyVersion = change.PolicyVersion, CalendarVersion = change.CalendarVersion, TableContracts = Changes.TableContracts.Parsed(change.TableContracts), Removes = change.Removes,
    };

    private string Canonical()
    {
        var signed = new JsonObject
        {
            ["content_hash"] = ContentHash, ["binding"] = Binding, ["base_etag"] = Etags.Of(Revision), ["environment"] = Environment,
            ["region"] = Region, ["contract_digest"] = ContractDigest, ["policy_version"] = PolicyVersion,
        };
        // Only where a calendar or tables take part: a digest that was signed without them stays what it was.
        if (CalendarVersion is { } version)
            signed["calendar_version"] = version;
        if (TableContracts is { } tables)
            signed["table_contracts"] = tables.DeepClone();
        // Nobody's approval of a definition is one of taking it away.
        if (Removes)
            signed["action"] = "remove";
        return Jcs.Write(signed);
    }
}
