using KpiControl.Control.Requests;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Provenance;

/// <summary>From runs up to what they took, by what their evidence recorded: level by level, one question each.</summary>
internal static class UpwardLineage
{
    public static async Task FollowAsync(RequestTransaction tx, LineageDrawing drawing, IReadOnlyList<LineageRunRow> roots)
    {
        var level = roots.Where(run => drawing.TryRoot(run.ToNode())).ToList();
        for (var depth = 0; level.Count > 0; depth++)
            level = drawing.IsDeepest(depth) ? End(drawing, level) : await StepAsync(tx, drawing, level);
    }

    private static async Task<List<LineageRunRow>> StepAsync(RequestTransaction tx, LineageDrawing drawing, List<LineageRunRow> level)
    {
        var taken = level.SelectMany(run => run.Sources.Select(source => (Run: run, Source: source))).ToList();
        var unknown = taken.Select(t => t.Source.Edge.UpstreamRunId).Where(run => run > 0 && !drawing.Has(NodeId.OfRun(run))).Distinct().Take(drawing.Room).ToList();
        var upstream = unknown.Count == 0 ? [] : (await LineageStore.RunsAsync(tx, drawing.Scope, unknown)).ToDictionary(run => run.RunId);
        foreach (var (run, source) in taken)
        {
            var node = source.Edge.UpstreamRunId is var id and > 0 ? upstream.GetValueOrDefault(id)?.ToNode() ?? Gone(id, source) : source.Node;
            drawing.Add(node, beside: NodeId.OfRun(run.RunId), run.ToEdge(source, node.Id));
        }
        return [.. upstream.Values.Where(run => drawing.Has(NodeId.OfRun(run.RunId)))];
    }

    // Its evidence names it, and its row is older than what is kept.
    private static LineageNode Gone(long run, SourceTaken source) => new() { Id = NodeId.OfRun(run), Kind = "run", Name = source.Name };

    private static List<LineageRunRow> End(LineageDrawing drawing, List<LineageRunRow> level)
    {
        foreach (var run in level.Where(run => run.Sources.Count > 0))
            drawing.TooDeep(NodeId.OfRun(run.RunId));
        return [];
    }

    /// <summary>Of a job without a good run there is what it declares.</summary>
    public static void Declare(LineageDrawing drawing, LineageJobRow job)
    {
        if (!drawing.TryRoot(job.ToNode()))
            return;
        foreach (var source in RecordedSources.Of(job.Declared, null, null))
        {
            var edge = source.Edge.Clone();
            (edge.From, edge.To) = (NodeId.OfJob(job.BindingId), source.Id);
            drawing.Add(source.Node, beside: edge.From, edge);
        }
    }
}
