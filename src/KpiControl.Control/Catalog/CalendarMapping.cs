using Google.Protobuf.WellKnownTypes;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Catalog;

internal static class CalendarMapping
{
    /// <param name="withContent">The text as first written, and its canonical form.</param>
    public static Calendar ToProto(this CalendarRow row, bool withContent)
    {
        var proto = new Calendar
        {
            Tenant = row.TenantId, Name = row.Name, Version = row.Version, Digest = row.Digest, Description = row.Understand().Description ?? "",
            CreatedAt = row.CreatedAt.ToTimestamp(), CreatedBy = row.CreatedBy, Reason = row.Reason, Bindings = row.Bindings,
        };
        if (withContent)
            (proto.Format, proto.Content, proto.CanonicalJson) = (row.Format, row.Content, row.CanonicalJson);
        return proto;
    }
}
