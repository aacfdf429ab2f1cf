namespace KpiControl.Control.Leases;

/// <summary>Chooses which of the due go first when there is credit for fewer: as many of each tenant in turn as it weighs, in order of time within a tenant.</summary>
internal static class FairPick
{
    /// <param name="weights">Of tenants that do not weigh 1.</param>
    public static IReadOnlyList<T> Interleave<T>(IReadOnlyList<T> rows, Func<T, string> tenant, IReadOnlyDictionary<string, int> weights)
    {
        var queues = rows.GroupBy(tenant).Select(group => (Rows: new Queue<T>(group), Weight: weights.GetValueOrDefault(group.Key, 1))).ToList();
        if (queues.Count <= 1)
            return rows;
        var picked = new List<T>(rows.Count);
        while (picked.Count < rows.Count)
            foreach (var (queue, weight) in queues)
                for (var turn = 0; turn < weight && queue.TryDequeue(out var row); turn++)
                    picked.Add(row);
        return picked;
    }
}
