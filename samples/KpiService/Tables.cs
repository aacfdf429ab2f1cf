using System.Security.Cryptography;

namespace KpiControl.Samples.KpiService;

/// <summary>The GDP tables: CSV files, read anew at each call. No cell of them holds a comma or a quote.</summary>
internal sealed class Tables(string directory)
{
    private static readonly Dictionary<string, string> Files = new()
    {
        ["GDP_ElectricityGeneration"] = "iowa-electricity.csv", ["GDP_Employment"] = "us-employment.csv", ["GDP_Unemployment"] = "unemployment-across-industries.csv",
        ["GDP_Flights"] = "flights-5k.csv", ["GDP_Receivables"] = "receivables.csv", ["GDP_Sales"] = "sales.csv",
    };

    public List<(string Name, string Version)> Read { get; } = [];

    public IEnumerable<Func<string, string>> Rows(string table)
    {
        var bytes = File.ReadAllBytes(Path.Combine(directory, Files[table]));
        Read.Add((table, "sha256:" + Convert.ToHexStringLower(SHA256.HashData(bytes))[..16]));
        var lines = System.Text.Encoding.UTF8.GetString(bytes).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var columns = lines[0].Split(',').Select((name, index) => (name, index)).ToDictionary(one => one.name, one => one.index);
        foreach (var line in lines[1..])
        {
            var cells = line.Split(',');
            yield return name => cells[columns[name]];
        }
    }
}
