using System.Globalization;
using Npgsql;

namespace KpiControl.Bench;

/// <summary>What a phase cost: time, WAL, the processor time of everything on the machine, and of it the database's, the control plane's and the agent's (this process).</summary>
internal sealed record Cost(double Seconds, double WalBytes, double CpuSeconds, double DatabaseCpu, double ControlCpu, double AgentCpu)
{
    public static Cost operator +(Cost a, Cost b) =>
        new(a.Seconds + b.Seconds, a.WalBytes + b.WalBytes, a.CpuSeconds + b.CpuSeconds, a.DatabaseCpu + b.DatabaseCpu, a.ControlCpu + b.ControlCpu, a.AgentCpu + b.AgentCpu);
}

internal static class Meter
{
    public static async Task<Cost> MeasureAsync(string superuser, Func<Task> phase)
    {
        await using var data = NpgsqlDataSource.Create(superuser);
        var (wal, cpu, postgres, control, agent, at) = (await WalAsync(data), Cpu(), CpuOf("postgres"), CpuOf("kpi-control"), Environment.CpuUsage.TotalTime.TotalSeconds, TimeProvider.System.GetTimestamp());
        await phase();
        var seconds = TimeProvider.System.GetElapsedTime(at).TotalSeconds;
        return new Cost(seconds, await WalAsync(data) - wal, Cpu() - cpu, CpuOf("postgres") - postgres, CpuOf("kpi-control") - control, Environment.CpuUsage.TotalTime.TotalSeconds - agent);
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

    // user and system time, in hundredths of a second, of the living processes whose command line names the program.
    private static double CpuOf(string program)
    {
        var ticks = 0.0;
        foreach (var process in Directory.EnumerateDirectories("/proc").Where(d => char.IsAsciiDigit(d[6])))
            try
            {
                if (File.ReadAllText($"{process}/cmdline").Contains(program, StringComparison.Ordinal))
                {
                    var fields = File.ReadAllText($"{process}/stat") is var stat ? stat[(stat.LastIndexOf(')') + 2)..].Split(' ') : [];
                    ticks += double.Parse(fields[11], CultureInfo.InvariantCulture) + double.Parse(fields[12], CultureInfo.InvariantCulture);
                }
            }
            catch (IOException)
            {
                // It ended while it was looked at.
            }
        return ticks / 100;
    }

    public static double Percentile(List<double> values, double p)
    {
        if (values.Count == 0)
            return double.NaN;
        values.Sort();
        return values[(int)Math.Min(values.Count - 1, Math.Ceiling(p * values.Count) - 1)];
    }
}
