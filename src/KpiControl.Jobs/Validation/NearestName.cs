namespace KpiControl.Jobs.Validation;

/// <summary>The known name that a mistyped one most likely meant.</summary>
public static class NearestName
{
    /// <summary>Names beyond this length are no typing mistakes, and comparing them would cost the square of it.</summary>
    private const int LongestCompared = 64;

    /// <returns>Null where none is near.</returns>
    public static string? Of(string name, IEnumerable<string> known)
    {
        if (name.Length is 0 or > LongestCompared) return null;
        var (nearest, distance) = known.Select(k => (Name: k, Distance: Distance(name.ToLowerInvariant(), k.ToLowerInvariant())))
            // Of two as near, the one that the name begins with: == is a slip for =, not for !=.
            .OrderBy(k => k.Distance).ThenBy(k => !name.StartsWith(k.Name, StringComparison.OrdinalIgnoreCase)).ThenBy(k => k.Name, StringComparer.Ordinal).FirstOrDefault((Name: "", Distance: int.MaxValue));
        return distance <= Math.Max(2, name.Length / 3) && distance < Math.Max(name.Length, nearest.Length) ? nearest : null;
    }

    /// <summary>Edits from one to the other: insert, delete, replace, or swap of neighbours (optimal string alignment).</summary>
    private static int Distance(string a, string b)
    {
        var d = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++) d[i, 0] = i;
        for (var j = 0; j <= b.Length; j++) d[0, j] = j;
        for (var i = 1; i <= a.Length; i++)
        for (var j = 1; j <= b.Length; j++)
        {
            var replace = d[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            d[i, j] = Math.Min(replace, Math.Min(d[i - 1, j], d[i, j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
        }

        return d[a.Length, b.Length];
    }
}
