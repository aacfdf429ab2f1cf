namespace KpiControl.Control.Leases;

/// <summary>Chooses which of the due go first when there is credit for fewer: one of each tenant in turn, in order of time within a tenant.</summary>
internal static class FairPick
{
    public static IReadOnlyList<T> Interleave<T>(IReadOnlyList<T> rows, Func<T, string> tenant)
    {
        var queues = rows.GroupBy(tenant).Select(group => new Queue<T>(group)).ToList();
        if (queues.Count <= 1)
            return rows;
        var picked = new List<T>(rows.Count);
        while (picked.Count < rows.Count)
            foreach (var queue in queues)
                if (queue.TryDequeue(out var row))
                    picked.Add(row);
        return picked;
    }
}
