using System.Collections.ObjectModel;
using System.Text.Json;
using Dapper;
using KpiControl.Control.Database;
using KpiControl.Control.Security;
using Npgsql;

namespace KpiControl.Control.Leases;

/// <summary>Sessions and the nodes that carry them: written when they open, move or end, never by a heartbeat.</summary>
internal sealed class SessionStore(Databases databases)
{
    private const string RegisterNodeSql =
        """
        INSERT INTO kpi_node (name, generation, expires_at) VALUES (@name, 1, now() + @ttl::interval)
        ON CONFLICT (name) DO UPDATE SET generation = kpi_node.generation + 1, started_at = now(), expires_at = excluded.expires_at
        RETURNING node_id, generation
        """;

    public async Task<NodeRef> RegisterNodeAsync(string name, TimeSpan ttl, CancellationToken token)
    {
        await using var connection = await databases.Heartbeat.OpenConnectionAsync(token);
        var row = await connection.QuerySingleAsync<(int NodeId, int Generation)>(new CommandDefinition(RegisterNodeSql, new { name, ttl }, cancellationToken: token));
        return new NodeRef(row.NodeId, row.Generation);
    }

    private const string ExtendNodeSql = "UPDATE kpi_node SET expires_at = now() + @ttl::interval WHERE node_id = @NodeId AND generation = @Generation";

    /// <summary>False: another process took this node's name.</summary>
    public async Task<bool> ExtendNodeAsync(NodeRef node, TimeSpan ttl, CancellationToken token)
    {
        await using var connection = await databases.Heartbeat.OpenConnectionAsync(token);
        return await connection.ExecuteAsync(new CommandDefinition(ExtendNodeSql, new { node.NodeId, node.Generation, ttl }, cancellationToken: token)) == 1;
    }

    // First, and in a statement of its own: whoever drains the agent holds this row before looking for its sessions, so of a
    // drain and a Hello at once the second knows of the first.
    private const string AgentSql = "INSERT INTO kpi_agent (agent) VALUES (@Agent) ON CONFLICT (agent) DO UPDATE SET agent = excluded.agent";

    // One statement: an agent's live session is taken over by the same instance, or made where there is none. The
    // partial unique index on live sessions decides between two that ask at once.
    private const string OpenSql =
        """
        INSERT INTO kpi_session (agent, instance, region, node_id, node_generation, generation, build, labels, connections, connection_stages, slots, drained_at)
        SELECT @Agent, @Instance, @Region, @NodeId, @NodeGeneration, 1, @Build, @Labels::jsonb, @Connections::jsonb, @Stages::jsonb, @Slots, drained_at FROM kpi_agent WHERE agent = @Agent
        ON CONFLICT (agent) WHERE ended_at IS NULL DO UPDATE SET generation = kpi_session.generation + 1, node_id = excluded.node_id,
          node_generation = excluded.node_generation, build = excluded.build, labels = excluded.labels, connections = excluded.connections, connection_stages = excluded.connection_stages, slots = excluded.slots,
          drained_at = excluded.drained_at
          WHERE kpi_session.instance = excluded.instance AND kpi_session.region = excluded.region
        RETURNING session_id, generation, (SELECT epoch FROM kpi_cluster) AS epoch, (SELECT drain_reason FROM kpi_agent WHERE agent = @Agent) AS drain_reason
        """;

    private const string TenantsSql =
        """
        WITH gone AS (DELETE FROM kpi_session_tenant WHERE session_id = @sessionId AND NOT tenant_id = ANY (@tenants))
        INSERT INTO kpi_session_tenant (session_id, tenant_id) SELECT @sessionId, t.tenant_id FROM kpi_tenant t WHERE t.tenant_id = ANY (@tenants)
        ON CONFLICT DO NOTHING
        """;

    private const string MovedSql = "SELECT pg_notify('kpi', format('moved %s %s', @sessionId, @generation))";

    /// <summary>Null: another live instance holds the agent's name.</summary>
    public async Task<OpenedSession?> OpenAsync(SessionOpening opening, NodeRef node, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.ExecuteAsync(new CommandDefinition(AgentSql, new { opening.Agent }, transaction, cancellationToken: token));
        var row = await connection.QuerySingleOrDefaultAsync<(long SessionId, int Generation, int Epoch, string? DrainReason)>(new CommandDefinition(OpenSql, new
        {
            opening.Agent, opening.Instance, opening.Region, node.NodeId, NodeGeneration = node.Generation, opening.Build, opening.Slots,
            Labels = JsonSerializer.Serialize(opening.Labels), Connections = JsonSerializer.Serialize(opening.Connections), Stages = JsonSerializer.Serialize(opening.ConnectionStages),
        }, transaction, cancellationToken: token));
        if (row.SessionId == 0)
            return null;
        await connection.ExecuteAsync(new CommandDefinition(TenantsSql, new { sessionId = row.SessionId, tenants = opening.Tenants.ToArray() }, transaction, cancellationToken: token));
        if (row.Generation > 1)
            await connection.ExecuteAsync(new CommandDefinition(MovedSql, new { sessionId = row.SessionId, generation = row.Generation }, transaction, cancellationToken: token));
        await transaction.CommitAsync(token);
        return new OpenedSession(new SessionRef(row.SessionId, row.Generation), row.Epoch, row.DrainReason);
    }

    private const string HeldSql =
        """
        SELECT attempt_id, occ_cancel FROM kpi_job_runtime WHERE binding_id = ANY (@bindings) AND attempt_id = ANY (@attempts) AND occ_state = 'L' AND session_id = @sessionId
        UNION ALL
        SELECT attempt_id, occ_cancel FROM kpi_aside WHERE binding_id = ANY (@bindings) AND attempt_id = ANY (@attempts) AND occ_state = 'L' AND session_id = @sessionId
        """;

    /// <summary>Which of the attempts an agent holds are still leased to its session, and whether each was cancelled meanwhile.</summary>
    public async Task<IReadOnlyDictionary<Guid, bool>> StillHeldAsync(long sessionId, IReadOnlyCollection<(long BindingId, Guid Attempt)> held, CancellationToken token)
    {
        if (held.Count == 0)
            return ReadOnlyDictionary<Guid, bool>.Empty;
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<(Guid Attempt, bool Cancelled)>(new CommandDefinition(HeldSql, new
        {
            sessionId, bindings = held.Select(h => h.BindingId).ToArray(), attempts = held.Select(h => h.Attempt).ToArray(),
        }, cancellationToken: token))).ToDictionary(h => h.Attempt, h => h.Cancelled);
    }

    private const string EndSql =
        "UPDATE kpi_session SET ended_at = now(), end_reason = @reason WHERE session_id = @SessionId AND generation = @Generation AND ended_at IS NULL";

    public async Task<bool> EndAsync(SessionRef session, string reason, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return await connection.ExecuteAsync(new CommandDefinition(EndSql, new { session.SessionId, session.Generation, reason }, cancellationToken: token)) == 1;
    }

    private const string StandingsSql =
        """
        SELECT s.session_id, s.generation, s.ended_at IS NOT NULL AS ended, CASE WHEN a.drained_at IS NOT NULL THEN a.drain_reason END AS drain_reason
          FROM kpi_session s JOIN kpi_agent a USING (agent) WHERE s.session_id = ANY (@ids)
        """;

    public async Task<IReadOnlyDictionary<long, SessionStanding>> StandingsAsync(long[] ids, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<SessionStanding>(new CommandDefinition(StandingsSql, new { ids }, cancellationToken: token))).ToDictionary(s => s.SessionId);
    }

    private const string LanesSql = "SELECT lane, region, priority FROM kpi_lane ORDER BY priority, lane";

    public async Task<IReadOnlyList<Lane>> LanesAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<(short Number, string Region, short Priority)>(new CommandDefinition(LanesSql, cancellationToken: token)))
            .Select(l => new Lane(l.Number, l.Region, l.Priority)).ToList();
    }
}

/// <summary>A region at a priority; 1 goes first.</summary>
internal sealed record Lane(short Number, string Region, short Priority);

/// <param name="Epoch">The cluster's, which its Welcome tells.</param>
/// <param name="DrainReason">Null: its agent is not drained.</param>
internal sealed record OpenedSession(SessionRef Id, int Epoch, string? DrainReason);

/// <summary>A session as the database has it.</summary>
internal sealed record SessionStanding
{
    public long SessionId { get; init; }
    public int Generation { get; init; }
    public bool Ended { get; init; }
    /// <summary>Null: its agent is not drained.</summary>
    public string? DrainReason { get; init; }
}

/// <summary>What an agent said of itself when it opened its stream.</summary>
internal sealed record SessionOpening
{
    public required string Agent { get; init; }
    public required Guid Instance { get; init; }
    public required string Region { get; init; }
    public required IReadOnlyList<string> Tenants { get; init; }
    public required string Build { get; init; }
    public required IReadOnlyDictionary<string, string> Labels { get; init; }
    public required IReadOnlyDictionary<string, string> Connections { get; init; }
    /// <summary>conn_id → stages that it executes, joined by commas; one that is absent executes <c>kpi</c> alone.</summary>
    public IReadOnlyDictionary<string, string> ConnectionStages { get; init; } = ReadOnlyDictionary<string, string>.Empty;
    public required int Slots { get; init; }
    public AgentOffer Offer => field ??= new AgentOffer(Connections, Labels, ConnectionStages);
    public CertificateFacts? Certificate { get; init; }
}
