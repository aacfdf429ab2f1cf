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
    public void It_explains_every_rule()
    {
        var source = Path.Combine(AjvFixture.Repository(), "src", "KpiControl.Jobs");
        var rules = new[] { "Artifacts", "Validation" }.SelectMany(f => Directory.EnumerateFiles(Path.Combine(source, f), "*.cs", SearchOption.AllDirectories))
            .SelectMany(f => Rule().Matches(File.ReadAllText(f)).Select(m => m.Groups[1].Value)).Distinct().ToList();
        Assert.True(rules.Count > 40);
        Assert.All(rules, rule => Assert.Contains($"`{rule}`", Page, StringComparison.Ordinal));
    }

    [GeneratedRegex("\"((?:syntax|limits|schema|meaning|secrets)\\.[a-z_]+)\"")]
    private static partial Regex Rule();
}
