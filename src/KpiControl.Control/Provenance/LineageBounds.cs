using KpiControl.Control.Hosting;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Provenance;

/// <summary>How far a graph goes.</summary>
internal sealed record LineageBounds(int Depth, int Nodes)
{
    private const int DefaultDepth = 10, DeepestDepth = 50, DefaultNodes = 500, MostNodes = 2000;

    public static LineageBounds Of(GetLineageRequest request)
    {
        if (request.MaxDepth < 0)
            throw Reject.Invalid("max_depth", "is below 0; leave it out for 10, at most 50");
        if (request.MaxNodes < 0)
            throw Reject.Invalid("max_nodes", "is below 0; leave it out for 500, at most 2000");
        return new LineageBounds(
            request.MaxDepth == 0 ? DefaultDepth : Math.Min(request.MaxDepth, DeepestDepth),
            request.MaxNodes == 0 ? DefaultNodes : Math.Min(request.MaxNodes, MostNodes));
    }
}
