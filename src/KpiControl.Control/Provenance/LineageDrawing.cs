using KpiControl.Protocol.V1;

namespace KpiControl.Control.Provenance;

/// <summary>A graph being drawn within its bounds: each node once, and no edge without both its ends.</summary>
internal sealed class LineageDrawing(LineageScope scope, LineageBounds bounds, string direction)
{
    private readonly Dictionary<string, LineageNode> nodes = new(StringComparer.Ordinal);

    public LineageScope Scope { get; } = scope;

    public LineageGraph Graph { get; } = new() { Direction = direction, Tenant = scope.Tenant, Environment = scope.Environment };

    public int Room => bounds.Nodes - nodes.Count;

    public bool IsDeepest(int depth) => depth >= bounds.Depth;

    public bool Has(string id) => nodes.ContainsKey(id);

    public bool TryRoot(LineageNode node)
    {
        if (!TryAdd(node, 0))
            return false;
        Graph.Roots.Add(node.Id);
        return true;
    }

    /// <summary>Adds a node one step further, unless it is there, and the edge.</summary>
    /// <param name="beside">The end that is there.</param>
    public void Add(LineageNode node, string beside, LineageEdge edge)
    {
        if (!TryAdd(node, nodes[beside].Depth + 1))
            nodes[beside].Cut = true;
        else
            Graph.Edges.Add(edge);
    }

    /// <summary>There is more behind the node, deeper than was asked for.</summary>
    public void TooDeep(string id)
    {
        nodes[id].Cut = true;
        Truncate("max_depth");
    }

    /// <summary>There is more behind the node than there is room for.</summary>
    public void TooMany(string id)
    {
        nodes[id].Cut = true;
        Truncate("max_nodes");
    }

    private bool TryAdd(LineageNode node, int depth)
    {
        if (nodes.ContainsKey(node.Id))
            return true;
        if (Room <= 0)
        {
            Truncate("max_nodes");
            return false;
        }
        node.Depth = depth;
        nodes[node.Id] = node;
        Graph.Nodes.Add(node);
        return true;
    }

    private void Truncate(string by)
    {
        if (!Graph.Truncated)
            (Graph.Truncated, Graph.TruncatedBy) = (true, by);
    }
}

/// <summary>Where a graph lies: nothing of another tenant or environment is in it.</summary>
internal sealed record LineageScope(string Tenant, string Environment);
