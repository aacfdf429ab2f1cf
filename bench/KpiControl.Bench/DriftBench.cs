using System.Globalization;
using Dapper;
using KpiControl.Testing;

namespace KpiControl.Bench;

/// <summary>Passes over a directory of many artifacts, each bound, by a control plane that holds many bindings.</summary>
internal static class DriftBench
{
    private const string Store = "bench";
    private const double UnchangedSeconds = 2;

    /// <summary>The store, and that it is looked at only when somebody asks.</summary>
    public static (string Key, string Value)[] Settings(string directory) =>
    [
        ("KPI_Drift__SyncEvery", "1.00:00:00"), ("KPI_Drift__LookEvery", "00:00:00.05"), ($"KPI_Drift__Stores__{Store}__Tenant", "acme"), ($"KPI_Drift__Stores__{Store}__Environment", "dev"),
        ($"KPI_Drift__Stores__{Store}__Kind", "directory"), ($"KPI_Drift__Stores__{Store}__Location", directory),
    ];

    /// <param name="written">A file of the directory, and another text for it that means something else.</param>
    /// <returns>Whether the figure is met.</returns>
    public static async Task<bool> RunAsync(TestDatabase database, KpictlProcess kpictl, (string File, string Text) written)
    {
        await PassAsync("a first pass, which reads all", database, kpictl);
        var seconds = await PassAsync("a pass, none changed", database, kpictl);
        await File.WriteAllTextAsync(written.File, written.Text);
        await PassAsync("a pass, one changed", database, kpictl);
        await PassAsync("a pass that reads all again", database, kpictl, "--read-all");
        var listed = await kpictl.SecondsAsync("drift", "--store", Store, "-o", "name");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"kpictl drift, one of them drifted: {listed:0.00} s"));
        return seconds <= UnchangedSeconds;
    }

    /// <summary>Until what was applied is in the store: the transaction that applies it only notes it.</summary>
    public static async Task WrittenAsync(TestDatabase database)
    {
        await using var connection = await database.OpenAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(10));
        while (await connection.ExecuteScalarAsync<bool>("SELECT EXISTS (SELECT FROM kpi_store_write WHERE store_state = 'pending')"))
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, limit.Token);
        var (stored, refused, seconds) = await connection.QuerySingleAsync<(int, int, double)>(
            "SELECT count(*) FILTER (WHERE store_state = 'stored')::int, count(*) FILTER (WHERE store_state = 'refused')::int, extract(epoch FROM max(ended_at) - max(requested_at))::float8 FROM kpi_store_write");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"what was applied is in the store: {stored} written, {refused} refused, the last {seconds:0.00} s after it was applied"));
    }

    private static async Task<double> PassAsync(string what, TestDatabase database, KpictlProcess kpictl, params string[] more)
    {
        await kpictl.SecondsAsync(["drift", "sync", Store, "--timeout", "10m", .. more]);
        await using var connection = await database.OpenAsync();
        var (seconds, artifacts, read) = await connection.QuerySingleAsync<(double, int, int)>(
            "SELECT extract(epoch FROM pass_ended_at - pass_started_at)::float8, artifacts, contents_read FROM kpi_store WHERE store = @Store", new { Store });
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}: {seconds:0.00} s, {read} of {artifacts} artifacts read"));
        return seconds;
    }
}
