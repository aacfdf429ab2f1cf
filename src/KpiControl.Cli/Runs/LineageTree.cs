using KpiControl.Cli.Jobs;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;
using Spectre.Console;

namespace KpiControl.Cli.Runs;

/// <summary>A lineage graph as trees from its roots: what is below a node is drawn where the node comes first.</summary>
internal sealed class LineageTree
{
    private readonly Dictionary<string, LineageNode> nodes;
    private readonly ILookup<string, (LineageNode Node, LineageEdge Edge)> branches;
    private readonly HashSet<string> drawn = new(StringComparer.Ordinal);
    private readonly bool wide;

    private LineageTree(LineageGraph graph, bool wide)
    {
        nodes = graph.Nodes.ToDictionary(node => node.Id, StringComparer.Ordinal);
        branches = graph.Edges.ToLookup(edge => Near(graph, edge), edge => (nodes[Far(graph, edge)], edge), StringComparer.Ordinal);
        this.wide = wide;
    }

    public static void Print(Surroundings world, LineageGraph graph, bool wide)
    {
        var lineage = new LineageTree(graph, wide);
        foreach (var root in graph.Roots)
        {
            var tree = new Tree(lineage.Line(lineage.nodes[root], null)) { Guide = TreeGuide.Line };
            lineage.Grow(tree, root);
            Rendered.WriteTo(world, tree);
        }
        if (graph.Edges.Count == 0)
            world.Error.WriteLine(graph.Direction == "up" ? "it declares no source, and took none" : "nothing declares it, and nothing took it");
        if (graph.Truncated)
            world.Error.WriteLine(graph.TruncatedBy == "max_depth"
                ? "there is more behind what is marked (cut): --depth N, or ask for the lineage of that node"
                : $"there is more than these {graph.Nodes.Count} nodes, behind what is marked (cut): --nodes N, or ask for the lineage of that node");
    }

    private static string Near(LineageGraph graph, LineageEdge edge) => graph.Direction == "up" ? edge.From : edge.To;

    private static string Far(LineageGraph graph, LineageEdge edge) => graph.Direction == "up" ? edge.To : edge.From;

    private void Grow(IHasTreeNodes parent, string id)
    {
        drawn.Add(id);
        foreach (var (node, edge) in branches[id])
        {
            var again = drawn.Contains(node.Id) && branches.Contains(node.Id);
            var branch = parent.AddNode(Line(node, edge, again ? "see above" : null));
            if (!again)
                Grow(branch, node.Id);
        }
    }

    private Text Line(LineageNode node, LineageEdge? edge, string? remark = null)
    {
        string?[] parts = [Name(node), RunOf(node, edge), edge is null ? null : Taken(node, edge), node.Inactive ? "inactive" : null, node.Cut ? "(cut)" : null, remark is null ? null : $"({remark})"];
        return new Text(Talk.OneLine(string.Join("  ", parts.Where(part => !string.IsNullOrEmpty(part)))), edge is { Recorded: false } ? Style.Parse("yellow") : Style.Plain);
    }

    private static string Name(LineageNode node) => node.Kind switch
    {
        "run" => $"{node.Id} {node.Name}{Kpi(node)}",
        "job" => $"{node.Name}{Kpi(node)}",
        _ => $"{node.Kind} {node.Name}",
    };

    private static string Kpi(LineageNode node) => node.KpiId.Length == 0 ? "" : $" {node.KpiId}@{node.ContractVersion}";

    // Of a job below a source the line says which run took it; its last run only where that is another.
    private string RunOf(LineageNode node, LineageEdge? edge) => node switch
    {
        { Run: null, Kind: "job" } => "no good run",
        { Run: null } => "",
        { Kind: "job" } when edge is not null && edge.RunId == node.Run.RunId => "",
        { Kind: "job" } => $"last good run/{node.Run.RunId} of {node.Run.BusinessDate}",
        _ => string.Join("  ", new[] { node.Run.BusinessDate, node.Run.Status, View(node.Run), Hash("definition", node.Run.ContentHash), Hash("values", node.Run.ValuesDigest), Hash("sql", node.Run.SqlHash) }.Where(part => part.Length > 0)),
    };

    private static string View(LineageRun run) =>
        run.RestatesRunId > 0 ? $"restates run/{run.RestatesRunId}" : run.RestatedByRunIds.Count > 0 ? $"restated by {string.Join(", ", run.RestatedByRunIds.Select(id => $"run/{id}"))}" : "";

    private string Hash(string of, string hash) => hash.Length == 0 ? "" : $"{of} {(wide ? hash : JobTable.ShortHash(hash))}";

    private static string Taken(LineageNode node, LineageEdge edge)
    {
        var parts = new List<string>();
        if (node.Kind == "job" && edge.RunId > 0)
            parts.Add($"taken by run/{edge.RunId} of {edge.BusinessDate} at {Ages.Absolute(edge.RecordedAt)}");
        if (edge.Version.Length > 0 && edge.To.StartsWith("table/", StringComparison.Ordinal))
            parts.Add($"version {edge.Version}");
        if (edge.RefreshId > 0)
            parts.Add($"refresh {edge.RefreshId} through {Ages.Absolute(edge.DataThrough)} by {edge.SourceRun}");
        if (edge.SignalId > 0)
            parts.Add($"signal {edge.SignalId} at {Ages.Absolute(edge.PublishedAt)} by {edge.PublishedBy}");
        if (node.Kind == "job" && edge.UpstreamRunId > 0)
            parts.Add($"its run/{edge.UpstreamRunId}");
        if (edge.Read)
            parts.Add(edge.ReadVersion.Length > 0 && edge.ReadVersion != edge.Version ? $"read at {edge.ReadVersion}" : "read");
        if (edge is { Recorded: true, RunId: 0 } && node.Kind == "job")
            parts.Add("taken once, not by its latest runs");
        parts.Add(edge switch
        {
            { Recorded: false } => "DECLARED, NEVER RECORDED",
            { Declared: false } => "not declared",
            _ => "",
        });
        return string.Join(", ", parts.Where(part => part.Length > 0));
    }
}
