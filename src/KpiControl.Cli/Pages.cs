namespace KpiControl.Cli;

/// <summary>Reads pages until there are no more, or enough.</summary>
internal static class Pages
{
    /// <param name="session">Whose standard error says that there is more.</param>
    /// <param name="limit">Rows wanted.</param>
    /// <param name="read">Reads a page of that size from that token; answers how many rows came, and the next token.</param>
    public static async Task Read(Session session, int limit, Func<int, string, Task<(int Count, string Next)>> read)
    {
        if (limit < 1)
            throw new Refusal($"--limit {limit} asks for nothing", "give 1 or more");
        var next = "";
        var rows = 0;
        do
        {
            (var count, next) = await read(Math.Min(limit - rows, 1000), next);
            rows += count;
        }
        while (next.Length > 0 && rows < limit);
        if (next.Length > 0)
            session.World.Error.WriteLine($"there are more; these are the first {rows} (--limit)");
    }
}
