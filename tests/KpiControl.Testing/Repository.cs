namespace KpiControl.Testing;

/// <summary>Finds the checkout that the tests were built from.</summary>
public static class Repository
{
    public static string Root { get; } = Find(AppContext.BaseDirectory);

    public static string File(params string[] parts) => Path.Combine([Root, .. parts]);

    private static string Find(string start)
    {
        for (var at = new DirectoryInfo(start); at is not null; at = at.Parent)
            if (System.IO.File.Exists(Path.Combine(at.FullName, "KpiControl.sln")))
                return at.FullName;
        throw new InvalidOperationException($"No KpiControl.sln above {start}: run the tests from a checkout.");
    }
}
