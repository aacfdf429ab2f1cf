using System.Globalization;
using Npgsql;

namespace KpiControl.Bench;

/// <summary>What a phase cost: time, WAL, and the processor time of everything on the machine.</summary>
internal sealed record Cost(double Seconds, double WalBytes, double CpuSeconds);

internal static class Meter
{
    public static async Task<Cost> MeasureAsync(string superuser, Func<Task> phase)
    {
        await using var data = NpgsqlDataSource.Create(superuser);
        var (wal, cpu, at) = (await WalAsync(data), Cpu(), TimeProvider.System.GetTimestamp());
        await phase();
        var seconds = TimeProvider.System.GetElapsedTime(at).TotalSeconds;
        return new Cost(seconds, await WalAsync(data) - wal, Cpu() - cpu);
    }

    private static async Task<double> WalAsync(NpgsqlDataSource data)
    {
        await using var command = data.CreateCommand("SELECT (pg_current_wal_insert_lsn() - '0/0')::float8");
        return (double)(await command.ExecuteScalarAsync())!;
    }

    // user, nice, system, irq, softirq of all processors, in hundredths of a second.
    private static double Cpu()
    {
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(f => double.Parse(f, CultureInfo.InvariantCulture)).ToList();
        return (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]) / 100;
    }

    public static double Percentile(List<double> values, double p)
    {
        if (values.Count == 0)
            return double.NaN;
        values.Sort();
        return values[(int)Math.Min(values.Count - 1, Math.Ceiling(p * values.Count) - 1)];
    }
}
