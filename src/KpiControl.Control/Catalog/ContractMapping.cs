using Google.Protobuf.WellKnownTypes;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Catalog;

internal static class ContractMapping
{
    /// <param name="withContent">The text as first written, and its canonical form.</param>
    public static Contract ToProto(this ContractRow row, bool withContent)
    {
        var reading = CatalogReader.Read(row.CanonicalJson, ArtifactFormat.Json);
        var proto = new Contract
        {
            Tenant = row.TenantId, KpiId = row.KpiId, Version = row.Version, Status = row.Status, Digest = row.Digest,
            ContractId = row.ContractId, Grain = reading.Kpi?.Grain ?? "", ContractType = row.ContractType, CreatedAt = row.CreatedAt.ToTimestamp(),
        };
        if (reading.Digest is not null)
            proto.Dependencies.AddRange(reading.Dependencies);
        if (withContent)
            (proto.Format, proto.Content, proto.CanonicalJson) = (row.Format, row.Content, row.CanonicalJson);
        return proto;
    }
}
