using System.Text.RegularExpressions;
using System.Xml.Linq;
using KpiControl.Testing;

namespace KpiControl.Tidy.Tests;

/// <summary>The few rules of the house that no compiler knows.</summary>
public sealed class HouseTests
{
    private static readonly Dictionary<string, string[]> MayReference = new()
    {
        ["KpiControl.Protocol"] = [],
        ["KpiControl.Jobs"] = [],
        ["KpiControl.Control"] = ["KpiControl.Protocol", "KpiControl.Jobs"],
        ["KpiControl.Agent"] = ["KpiControl.Protocol", "KpiControl.Jobs"],
        ["KpiControl.Cli"] = ["KpiControl.Protocol", "KpiControl.Jobs"],
    };

    [Fact]
    public void References_go_one_way()
    {
        foreach (var project in Sources.Tracked.Where(p => p.StartsWith("src/", StringComparison.Ordinal) && p.EndsWith(".csproj", StringComparison.Ordinal)))
            Assert.Subset(MayReference[Path.GetFileNameWithoutExtension(project)].ToHashSet(), References(project).ToHashSet());
        foreach (var sample in Sources.Tracked.Where(p => p.StartsWith("samples/", StringComparison.Ordinal) && p.EndsWith(".csproj", StringComparison.Ordinal)))
            Assert.Empty(References(sample));
    }

    [Theory]
    [InlineData("src/KpiControl.Control/")]
    [InlineData("src/KpiControl.Agent/")]
    public void An_event_id_is_one_message(string process)
    {
        var ids = Sources.CSharp(process).SelectMany(path => Regex.Matches(Sources.Text(path), @"\[LoggerMessage\((?:EventId = )?(\d+)").Select(match => (Id: match.Groups[1].Value, Path: path))).ToList();

        Assert.NotEmpty(ids);
        AssertNone(ids.GroupBy(one => one.Id).Where(group => group.Count() > 1).Select(group => $"{group.Key}: {string.Join(", ", group.Select(one => one.Path))}"));
    }

    [Fact]
    public void Database_and_hosting_know_no_feature()
    {
        const string Control = "src/KpiControl.Control/";
        var ground = new[] { "Database", "Hosting" };
        var features = Sources.CSharp(Control).Select(p => p[Control.Length..].Split('/')[0])
            .Where(folder => !folder.EndsWith(".cs", StringComparison.Ordinal)).Except(ground).ToHashSet();
        var knows = new Regex($@"\bControl\.({string.Join('|', features)})\b");

        AssertNone(ground.SelectMany(folder => Sources.CSharp($"{Control}{folder}/")).Where(path => knows.IsMatch(Sources.Text(path))));
    }

    [Fact]
    public void Names_say_a_role_in_the_domain()
    {
        var vague = new Regex(@"\b(?:class|record|struct|interface|enum) (?:struct )?(\w*(?:Manager|Helpers?|Utils?|Utility|Utilities|Common|Base)(?![a-z0-9])\w*)");
        AssertNone(Sources.CSharp("").SelectMany(path => vague.Matches(Sources.Text(path)).Select(m => $"{path}: {m.Groups[1].Value}")));
    }

    [Fact]
    public void Every_options_type_is_validated_at_start()
    {
        var source = string.Join('\n', Sources.CSharp("src/").Select(Sources.Text));
        var declared = Regex.Matches(source, @"(?<!static )class (\w+Options)\b").Select(m => m.Groups[1].Value).Distinct();
        AssertNone(declared.Where(name => !Regex.IsMatch(source, $@"AddValidated<{name}>|AddOptions<{name}>[^;]*ValidateOnStart", RegexOptions.Singleline)));
    }

    [Fact]
    public void Only_the_command_line_and_the_samples_write_to_the_console() =>
        AssertNone(Sources.CSharp("src/").Where(p => !p.StartsWith("src/KpiControl.Cli/", StringComparison.Ordinal))
            .Where(path => Sources.Text(path).Contains("Console.Write", StringComparison.Ordinal)));

    [Fact]
    public void No_file_is_longer_than_400_lines() =>
        AssertNone(Sources.CSharp("").Where(path => Lines(path) > 400).Select(path => $"{path}: {Lines(path)}"));

    [Fact]
    public void Nothing_names_a_place_on_somebodys_machine()
    {
        // Put together here, or this file would find itself.
        var places = new Regex(string.Join('|', new[] { "home", "work", "root", "Users" }.Select(top => $@"(?<![\w.$}}/~-])/{top}/\w")));
        AssertNone(Sources.Tracked.Where(p => !p.StartsWith("samples/data/", StringComparison.Ordinal)).Where(path => places.IsMatch(Sources.Text(path))));
    }

    [Fact]
    public void The_changelog_is_kept_and_the_readme_is_short()
    {
        Assert.Matches(@"(?m)^## (Unreleased|\[?\d+\.\d+\.\d+)", Sources.Text("CHANGELOG.md"));
        Assert.InRange(Lines("README.md"), 1, 150);
    }

    private static IEnumerable<string> References(string project) => XDocument.Load(Repository.File(project))
        .Descendants("ProjectReference").Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/')));

    private static int Lines(string path) => Sources.Text(path).AsSpan().Count('\n');

    private static void AssertNone(IEnumerable<string> offenders) => Assert.Equal("", string.Join('\n', offenders));
}
