using System.Text.RegularExpressions;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Tests.Artifacts;

/// <summary>The author's page says what the code does.</summary>
public sealed partial class AuthoringPageTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(AjvFixture.Repository(), "docs", "authoring.md"));

    [Fact]
    public void Its_example_is_the_specifications_and_valid()
    {
        var example = Page.Split("```yaml\n")[1].Split("```")[0];
        var specification = Path.Combine(AppContext.BaseDirectory, "Vectors", "dso_daily", "specification.yaml");
        Assert.Equal(File.ReadAllText(specification), example);
    }

    [Fact]
    public void It_states_every_default()
    {
        Assert.All(JobFields.All.Where(f => f.Default is not null), field =>
        {
            var name = field.Pointer[1..].Replace("/*", "[]", StringComparison.Ordinal).Replace('/', '.');
            var row = Page.Split('\n').Single(l => l.StartsWith($"| `{name}` |", StringComparison.Ordinal));
            var stated = row.Split('|')[2].Trim().Trim('`');
            var meant = field.Kind == FieldKind.Duration ? $"\"{Durations.Canonical(stated.Trim('"'))}\""
                : field.Kind == FieldKind.Set ? $"[{string.Join(',', stated.Trim('[', ']').Split(',').Order(StringComparer.Ordinal))}]" : stated;
            Assert.Equal(field.Default, meant);
        });
    }

    [Fact]
    public void The_pages_explain_every_rule_that_the_code_has_and_no_other()
    {
        var sources = new[] { "Jobs", "Control", "Cli" }.SelectMany(project =>
            Directory.EnumerateFiles(Path.Combine(AjvFixture.Repository(), "src", $"KpiControl.{project}"), "*.cs", SearchOption.AllDirectories))
            .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal));
        var code = sources.SelectMany(Rules).ToHashSet();
        var contracts = File.ReadAllText(Path.Combine(AjvFixture.Repository(), "docs", "contracts.md"));
        var calendars = File.ReadAllText(Path.Combine(AjvFixture.Repository(), "docs", "calendars.md"));
        var pages = Told().Matches(Page + contracts + calendars).Select(m => m.Groups[1].Value).ToHashSet();

        Assert.True(code.Count > 90, $"{code.Count} rules were found in the code");
        Assert.Equal(code.Order(StringComparer.Ordinal), pages.Order(StringComparer.Ordinal));
    }

    // Two stages put their rules together: their parts stand in a table of their own.
    private static IEnumerable<string> Rules(string file)
    {
        var text = File.ReadAllText(file);
        var whole = Rule().Matches(text).Select(m => m.Groups[1].Value);
        return Path.GetFileName(file) switch
        {
            "UnsupportedRules.cs" => whole.Concat(Unsupported().Matches(text).Select(m => "unsupported." + m.Groups[1].Value)),
            "SecretShapes.cs" => whole.Concat(Shape().Matches(text).Select(m => "secrets." + m.Groups[1].Value)),
            // One reader of both, which says whose rule it is.
            "MemberReader.cs" => whole.Concat(whole.Select(rule => rule.Replace("contract.", "calendar.", StringComparison.Ordinal))),
            _ => whole,
        };
    }

    private const string Stages = "(?:limits|syntax|schema|meaning|unsupported|secrets|contract|graph|policy|template|calendar)";

    [GeneratedRegex("\"(" + Stages + "\\.[a-z_]+)\"")]
    private static partial Regex Rule();

    [GeneratedRegex("`(" + Stages + "\\.[a-z_]+)`")]
    private static partial Regex Told();

    [GeneratedRegex(@"Refuse\(.*?, ""([a-z_]+)"", ")]
    private static partial Regex Unsupported();

    [GeneratedRegex(@"^ +\(""([a-z_]+)"", ", RegexOptions.Multiline)]
    private static partial Regex Shape();
}
