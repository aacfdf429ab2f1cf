using KpiControl.Control.Requests;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Provenance;

/// <summary>From a source, a job or a run down to whatever declares or took it: level by level, one question each.</summary>
internal static class DownwardLineage
{
    // More edges than nodes: jobs share their sources.
    private const int MostRows = 10_000;

    public static async Task FollowAsync(RequestTransaction tx, LineageDrawing drawing, IReadOnlyList<LineageTarget> roots)
    {
        var level = roots.ToList();
        for (var depth = 0; level.Count > 0; depth++)
        {
            var rows = await LineageStore.DependentsAsync(tx, drawing.Scope, level, MostRows);
            if (rows.Count == MostRows)
                drawing.TooMany(level[rows[^1].Target].NodeId);
            level = drawing.IsDeepest(depth) ? End(drawing, level, rows) : Step(drawing, level, rows);
        }
        await ShowLastRunsAsync(tx, drawing);
    }

    private static List<LineageTarget> Step(LineageDrawing drawing, List<LineageTarget> level, IReadOnlyList<DependentRow> rows)
    {
        var next = new List<LineageTarget>();
        foreach (var row in rows)
            if (row.ToEdge(level[row.Target]) is { } edge)
            {
                var (node, isNew) = (row.ToNode(), !drawing.Has(edge.From));
                drawing.Add(node, beside: edge.To, edge);
                if (isNew && drawing.Has(node.Id))
                    next.Add(LineageTarget.OfJob(node));
            }
        return next;
    }

    /// <summary>From runs to the runs that took their values.</summary>
    public static async Task FollowRunsAsync(RequestTransaction tx, LineageDrawing drawing, LineageRunRow root)
    {
        drawing.TryRoot(root.ToNode());
        List<LineageRunRow> level = [root];
        for (var depth = 0; level.Count > 0; depth++)
        {
            var pairs = await LineageStore.TakersAsync(tx, drawing.Scope, level, MostRows);
            level = drawing.IsDeepest(depth) ? EndRuns(drawing, pairs) : await StepAsync(tx, drawing, pairs);
        }
    }

    private static async Task<List<LineageRunRow>> StepAsync(RequestTransaction tx, LineageDrawing drawing, IReadOnlyList<TakerRow> pairs)
    {
        // One more than there is room for: that there are more is to be known.
        var takers = pairs.Select(pair => pair.Taker).Distinct().Take(drawing.Room + 1).ToList();
        var rows = (await LineageStore.RunsAsync(tx, drawing.Scope, takers)).ToDictionary(run => run.RunId);
        var next = new List<LineageRunRow>();
        foreach (var pair in pairs)
            if (rows.TryGetValue(pair.Taker, out var row) && row.Sources.FirstOrDefault(source => source.Edge.UpstreamRunId == pair.Taken) is { } source)
            {
                var (node, isNew) = (row.ToNode(), !drawing.Has(NodeId.OfRun(row.RunId)));
                drawing.Add(node, beside: NodeId.OfRun(pair.Taken), row.ToEdge(source, NodeId.OfRun(pair.Taken)));
                if (isNew && drawing.Has(node.Id))
                    next.Add(row);
            }
        return next;
    }

    private static List<LineageTarget> End(LineageDrawing drawing, List<LineageTarget> level, IReadOnlyList<DependentRow> rows)
    {
        foreach (var row in rows)
            drawing.TooDeep(level[row.Target].NodeId);
        return [];
    }

    private static List<LineageRunRow> EndRuns(LineageDrawing drawing, IReadOnlyList<TakerRow> pairs)
    {
        foreach (var pair in pairs)
            drawing.TooDeep(NodeId.OfRun(pair.Taken));
        return [];
    }

    private static async Task ShowLastRunsAsync(RequestTransaction tx, LineageDrawing drawing)
    {
        var jobs = drawing.Graph.Nodes.Where(node => node.Kind == "job").ToList();
        var lastGood = (await LineageStore.JobsAsync(tx, drawing.Scope, [.. jobs.Select(job => job.BindingId)])).Where(job => job.LastGood is not null).ToDictionary(job => job.BindingId, job => job.LastGood!.Value);
        var runs = (await LineageStore.RunsAsync(tx, drawing.Scope, lastGood.Values)).ToDictionary(run => run.RunId);
        foreach (var job in jobs)
            if (lastGood.TryGetValue(job.BindingId, out var run) && runs.TryGetValue(run, out var row))
                job.Run = row.ToProto();
    }
}
