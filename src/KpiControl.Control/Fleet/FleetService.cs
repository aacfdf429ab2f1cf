using System.Globalization;
using System.Text.Json;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Control.Database;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Fleet;

/// <summary>Agents and their sessions, as far as they serve the caller's tenants.</summary>
internal sealed class FleetService(Databases databases, Mutations mutations) : Protocol.V1.FleetService.FleetServiceBase
{
    public override async Task<ListAgentsResponse> ListAgents(ListAgentsRequest request, ServerCallContext context)
    {
        var paging = Paging.Of(request);
        long? after = paging.After is null ? null : long.Parse(paging.After, CultureInfo.InvariantCulture);
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var rows = await FleetStore.ListAsync(tx, request.Region, request.IncludeEnded, after, paging.Size + 1);
        var response = new ListAgentsResponse();
        response.Agents.AddRange(rows.Take(paging.Size).Select(ToProto));
        if (rows.Count > paging.Size)
            response.NextPageToken = Paging.Token(request, rows[paging.Size - 1].SessionId.ToString(CultureInfo.InvariantCulture));
        return response;
    }

    public override async Task<Epoch> GetEpoch(GetEpochRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await Epochs.GetAsync(tx);
    }

    public override Task<Epoch> BumpEpoch(BumpEpochRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Epochs.BumpAsync(tx, request), context.CancellationToken);

    private static Agent ToProto(SessionRow row)
    {
        var agent = new Agent
        {
            Agent_ = row.Agent, Region = row.Region, SessionId = row.SessionId, Generation = row.Generation, Instance = row.Instance, Build = row.Build,
            State = row.State, Slots = row.Slots, Leased = row.Leased, OpenedAt = Timestamp.FromDateTimeOffset(row.OpenedAt),
            EndedAt = row.EndedAt is { } ended ? Timestamp.FromDateTimeOffset(ended) : null, EndReason = row.EndReason ?? "", Node = row.Node,
        };
        agent.Tenants.AddRange(row.Tenants);
        Fill(agent.Labels, row.Labels);
        Fill(agent.Connections, row.Connections);
        return agent;
    }

    private static void Fill(MapField<string, string> map, string json) =>
        map.Add(JsonSerializer.Deserialize<Dictionary<string, string>>(json) ?? []);
}
