using System.Diagnostics;
using System.Text.Json;
using KpiControl.Cli.Tests.Support;

namespace KpiControl.Cli.Tests;

public sealed class OfflineTests
{
    internal const string Artifact = """
        job_id: dso_daily
        tenant: acme
        kpi_id: CFO-EF-02
        contract_version: 1.1.0
        schedule:
          type: cron
          expression: "0 2 * * *"
          timezone: UTC
        """;

    [Fact]
    public async Task A_good_artifact_is_exit_0_and_its_hash_does_not_depend_on_the_spelling()
    {
        using var kpictl = new CommandLine();
        var yaml = kpictl.File("a.yaml", Artifact);
        var json = kpictl.File("b.json", """{"tenant":"acme","job_id":"dso_daily","contract_version":"1.1.0","kpi_id":"CFO-EF-02","schedule":{"timezone":"UTC","expression":"0 2 * * *","type":"cron"}}""");

        var valid = await kpictl.Run("validate", yaml, json);
        var hash = await kpictl.Run("hash", yaml);

        Assert.Equal((0, "", "2 files: 0 errors, 0 warnings\n"), (valid.Exit, valid.Out, valid.Error));
        Assert.Matches("^sha256:[0-9a-f]{64}\n$", hash.Out);
        Assert.Equal(hash.Out, (await kpictl.Run("hash", json)).Out);
        Assert.StartsWith("{\"contract_version\"", (await kpictl.Run("hash", json, "--canonical")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_finding_is_a_line_that_editors_can_jump_to_and_exit_1()
    {
        using var kpictl = new CommandLine();
        var file = kpictl.File("a.yaml", Artifact.Replace("timezone: UTC", "timezone: Mars/Olympus", StringComparison.Ordinal));

        var result = await kpictl.Run("validate", file);

        Assert.Equal(1, result.Exit);
        Assert.Matches($"^{System.Text.RegularExpressions.Regex.Escape(file)}:8:\\d+: error [a-z_.]+: [^\n]+\n$", result.Out);
        Assert.Equal("1 file: 1 error, 0 warnings\n", result.Error);
    }

    [Fact]
    public async Task Json_has_the_findings_with_path_line_and_column()
    {
        using var kpictl = new CommandLine();
        var file = kpictl.File("a.yaml", "job_id: [\n");

        var result = await kpictl.Run("validate", file, "-o", "json");

        using var json = JsonDocument.Parse(result.Out);
        Assert.False(json.RootElement[0].GetProperty("valid").GetBoolean());
        Assert.True(json.RootElement[0].GetProperty("findings")[0].GetProperty("line").GetInt32() > 0);
    }

    [Fact]
    public async Task A_thousand_files_take_at_most_two_seconds()
    {
        using var kpictl = new CommandLine();
        for (var i = 0; i < 1000; i++)
            kpictl.File($"jobs/{i}.yaml", Artifact.Replace("dso_daily", $"job_{i}", StringComparison.Ordinal));

        Assert.InRange(await Executable.LeastProcessorTime(3, TwoSeconds, "validate", Path.Combine(kpictl.Home, "jobs")), TimeSpan.Zero, TwoSeconds);
    }

    [Fact]
    public async Task It_starts_within_a_quarter_of_a_second()
    {
        var aQuarter = TimeSpan.FromMilliseconds(250);

        Assert.InRange(await Executable.LeastProcessorTime(5, aQuarter, "version", "--client"), TimeSpan.Zero, aQuarter);
    }

    // Of two cores.
    private static readonly TimeSpan TwoSeconds = 2 * TimeSpan.FromSeconds(2);

    [Fact(Timeout = 30_000)]
    public async Task Ctrl_c_ends_the_executable_with_exit_2_and_no_stack_trace()
    {
        // A server that accepts and never answers.
        using var silent = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        silent.Start();
        using var process = Executable.Start("get", "--server", $"http://{silent.LocalEndpoint}");
        using var accepted = await silent.AcceptSocketAsync(TestContext.Current.CancellationToken);

        using var kill = Process.Start("kill", ["-INT", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(2, process.ExitCode);
        Assert.Equal("cancelled\n", await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Schema_is_the_json_schema()
    {
        using var kpictl = new CommandLine();

        using var schema = JsonDocument.Parse((await kpictl.Run("schema")).Out);

        Assert.Contains("draft-07", schema.RootElement.GetProperty("$schema").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bash", "complete -o default -F _kpictl kpictl")]
    [InlineData("zsh", "#compdef kpictl")]
    [InlineData("fish", "complete -c kpictl")]
    public async Task Completion_prints_a_script_for_the_shell(string shell, string line)
    {
        using var kpictl = new CommandLine();

        Assert.Contains(line, (await kpictl.Run("completion", shell)).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_completion_scripts_ask_is_answered()
    {
        using var kpictl = new CommandLine();

        var commands = (await kpictl.Run("[suggest:9]", "kpictl tri")).Out.Split('\n');

        Assert.Contains("trigger", commands);
        Assert.DoesNotContain("/?", (await kpictl.Run("[suggest:17]", "kpictl contracts ")).Out, StringComparison.Ordinal);
        Assert.Contains("--help", (await kpictl.Run("contracts", "--help")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_given_prints_the_help()
    {
        using var kpictl = new CommandLine();

        var result = await kpictl.Run();

        Assert.Equal(0, result.Exit);
        Assert.Contains("Usage:", result.Out, StringComparison.Ordinal);
    }
}
