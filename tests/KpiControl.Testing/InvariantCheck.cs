using KpiControl.Control.Database;

namespace KpiControl.Testing;

/// <summary>The product's own list of what must never be, asked at the end of a test.</summary>
public static class InvariantCheck
{
    /// <summary>Throws with every broken row.</summary>
    public static async Task HoldAsync(TestDatabase database, CancellationToken token = default)
    {
        var broken = await BrokenAsync(database, token);
        if (broken.Count > 0)
            throw new InvalidOperationException($"{broken.Count} rows break an invariant:\n{string.Join('\n', broken.Take(20))}");
    }

    /// <summary>One line a broken row.</summary>
    public static async Task<IReadOnlyList<string>> BrokenAsync(TestDatabase database, CancellationToken token = default)
    {
        await using var connection = await database.OpenAsync(token);
        return await Invariants.BrokenAsync(connection, token);
    }
}
