using System.Diagnostics;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.EndToEnd.Tests;

/// <summary>The sample files in a PostgreSQL warehouse, loaded as <c>./dev up</c> loads them.</summary>
internal static class SampleWarehouse
{
    public static async Task LoadAsync(TestDatabase warehouse)
    {
        var at = new NpgsqlConnectionStringBuilder(warehouse.Owner);
        var start = new ProcessStartInfo("bash",
            [Repository.File("samples", "warehouse", "load-postgresql.sh"), $"postgresql://{at.Username}@{at.Host}:{at.Port}/{at.Database}"])
        {
            RedirectStandardError = true,
        };
        start.Environment["PGPASSWORD"] = at.Password;
        using var load = Process.Start(start)!;
        var said = await load.StandardError.ReadToEndAsync();
        await load.WaitForExitAsync();
        Assert.True(load.ExitCode == 0, said);
    }

    /// <summary>What <c>samples/connections/eu.yaml</c> asks of the environment.</summary>
    public static IEnumerable<(string, string)> Settings(TestDatabase warehouse)
    {
        var at = new NpgsqlConnectionStringBuilder(warehouse.Owner);
        return
        [
            ("KPI_EU_WAREHOUSE_PORT", $"{at.Port}"), ("KPI_EU_WAREHOUSE_DATABASE", warehouse.Name),
            ("KPI_EU_WAREHOUSE_USER", at.Username!), ("KPI_EU_WAREHOUSE_PASSWORD", at.Password!),
        ];
    }
}
