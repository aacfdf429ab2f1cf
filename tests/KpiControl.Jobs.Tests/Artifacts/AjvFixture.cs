using System.Diagnostics;

namespace KpiControl.Jobs.Tests.Artifacts;

/// <summary>npm's ajv, the second validator; installed from its lock file where it is not there yet.</summary>
public sealed class AjvFixture
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly string _folder = Path.Combine(Repository(), "tests", "KpiControl.Jobs.Tests", "ajv");

    public AjvFixture()
    {
        if (!Directory.Exists(Path.Combine(_folder, "node_modules", "ajv")))
            Run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], "");
    }

    /// <param name="documents">JSON without line ends.</param>
    public IReadOnlyList<bool> Verdicts(IEnumerable<string> documents)
    {
        var schema = Path.Combine(Repository(), "src", "KpiControl.Jobs", "Artifacts", "kpi-job-1.0.json");
        return [.. Run("node", ["verdicts.cjs", schema], string.Join('\n', documents)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(bool.Parse)];
    }

    private string Run(string program, string[] arguments, string input)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = _folder, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        if (!process.WaitForExit(Patience)) process.Kill(entireProcessTree: true);
        Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}: {error.Result}");
        return output.Result;
    }

    public static string Repository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "KpiControl.sln"))) folder = folder.Parent;
        return folder.FullName;
    }
}
