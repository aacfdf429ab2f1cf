using KpiControl.Control.Audit;

namespace KpiControl.Control.Evidence;

/// <summary>A row of the chain, the link that names it, and the first signed checkpoint at or after that link.</summary>
internal readonly record struct LinkedPlace(RowPlace Place, long Link, long Checkpoint);

/// <summary>The links that are needed to prove rows: from each row's to its checkpoint, each once.</summary>
internal sealed record ChainProof(IReadOnlyList<(long From, long To)> Stretches, ILookup<long, RowPlace> Rows)
{
    public IEnumerable<RowPlace> RowsOf(long link) => Rows[link];

    public static ChainProof Of(IReadOnlyList<LinkedPlace> places)
    {
        var stretches = new List<(long From, long To)>();
        foreach (var place in places.OrderBy(p => p.Link))
            if (stretches.Count > 0 && place.Link <= stretches[^1].To + 1)
                stretches[^1] = (stretches[^1].From, Math.Max(stretches[^1].To, place.Checkpoint));
            else
                stretches.Add((place.Link, place.Checkpoint));
        return new ChainProof(stretches, places.Select(p => (p.Link, p.Place)).Distinct().ToLookup(p => p.Link, p => p.Place));
    }
}
