using System.Text.Json;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Fleet;

/// <summary>Sessions as the wire has them.</summary>
internal static class AgentMapping
{
    public static Agent ToProto(this SessionRow row)
    {
        var agent = new Agent
        {
            Agent_ = row.Agent, Region = row.Region, SessionId = row.SessionId, Generation = row.Generation, Instance = row.Instance, Build = row.Build,
            State = row.State, Slots = row.Slots, Leased = row.Leased, OpenedAt = Timestamp.FromDateTimeOffset(row.OpenedAt),
            EndedAt = row.EndedAt is { } ended ? Timestamp.FromDateTimeOffset(ended) : null, EndReason = row.EndReason ?? "", Node = row.Node,
            DrainedAt = row.DrainedAt is { } drained ? Timestamp.FromDateTimeOffset(drained) : null, DrainReason = row.DrainReason ?? "",
        };
        agent.Tenants.AddRange(row.Tenants);
        Fill(agent.Labels, row.Labels);
        Fill(agent.Connections, row.Connections);
        return agent;
    }

    private static void Fill(MapField<string, string> map, string json) =>
        map.Add(JsonSerializer.Deserialize<Dictionary<string, string>>(json) ?? []);
}
