using System.Text;
using CsCheck;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Tests.Artifacts;

public sealed class HostileTextTests
{
    /// <summary>Text, the rule that refuses it, and where.</summary>
    public static TheoryData<ArtifactFormat, string, string, int, int> Refused => new()
    {
        { ArtifactFormat.Yaml, "", "syntax.empty", 1, 1 },
        { ArtifactFormat.Yaml, "# only a comment\n", "syntax.empty", 1, 1 },
        { ArtifactFormat.Yaml, "a: 1\nb: &anchor 2\n", "syntax.anchor", 2, 4 },
        { ArtifactFormat.Yaml, "a: 1\nb: *anchor\n", "syntax.alias", 2, 4 },
        { ArtifactFormat.Yaml, "a: [1,\n *b]\n", "syntax.alias", 2, 2 },
        { ArtifactFormat.Yaml, "*a : 1\n", "syntax.alias", 1, 1 },
        { ArtifactFormat.Yaml, "a: 1\n<<: { b: 2 }\n", "syntax.merge_key", 2, 1 },
        { ArtifactFormat.Yaml, "a: !secret x\n", "syntax.tag", 1, 4 },
        { ArtifactFormat.Yaml, "a: !!python/object:os.system x\n", "syntax.tag", 1, 4 },
        { ArtifactFormat.Yaml, "a: !!binary aGk=\n", "syntax.tag", 1, 4 },
        { ArtifactFormat.Yaml, "%TAG !e! tag:example.org,2026:\n---\na: 1\n", "syntax.directive", 1, 1 },
        { ArtifactFormat.Yaml, "%YAML 1.1\n---\na: 1\n", "syntax.directive", 1, 1 },
        { ArtifactFormat.Yaml, "a: 1\nb: 2\na: 3\n", "syntax.duplicate_key", 3, 1 },
        { ArtifactFormat.Yaml, "a: 1\n\"\\u0061\": 3\n", "syntax.duplicate_key", 2, 1 },
        { ArtifactFormat.Yaml, "a: 1\n---\nb: 2\n", "syntax.documents", 2, 1 },
        { ArtifactFormat.Yaml, "1: a\n", "syntax.key", 1, 1 },
        { ArtifactFormat.Yaml, "? [a, b]\n: c\n", "syntax.key", 1, 3 },
        { ArtifactFormat.Yaml, "a: .inf\n", "syntax.number", 1, 4 },
        { ArtifactFormat.Yaml, "a: .NaN\n", "syntax.number", 1, 4 },
        { ArtifactFormat.Yaml, "a: 9007199254740993\n", "syntax.number", 1, 4 },
        { ArtifactFormat.Yaml, "a: 0x20000000000001\n", "syntax.number", 1, 4 },
        { ArtifactFormat.Yaml, "a: 0.1000000000000000055511151231257827\n", "syntax.number", 1, 4 },
        { ArtifactFormat.Yaml, "a: 1e999\n", "syntax.number", 1, 4 },
        { ArtifactFormat.Yaml, "a: 1e-999\n", "syntax.number", 1, 4 },
        { ArtifactFormat.Yaml, "a: 1e99999999999999999999\n", "syntax.number", 1, 4 },
        { ArtifactFormat.Yaml, "a: \"\\0\"\n", "syntax.control_character", 1, 4 },
        { ArtifactFormat.Yaml, "a: 1\nb: \u0007\n", "syntax.control_character", 2, 4 },
        { ArtifactFormat.Yaml, "a: 1\n# admin\u202e\n", "syntax.control_character", 2, 8 },
        { ArtifactFormat.Yaml, "a: b\u2028c\n", "syntax.control_character", 1, 5 },
        { ArtifactFormat.Yaml, "a: \"\\uD800\"\n", "syntax.yaml|syntax.control_character", 1, 0 },
        { ArtifactFormat.Yaml, "a: 'open\n", "syntax.yaml", 0, 0 },
        { ArtifactFormat.Yaml, "a:\n  - b\n c\n", "syntax.yaml", 0, 0 },
        { ArtifactFormat.Json, " \n", "syntax.empty", 1, 1 },
        { ArtifactFormat.Json, "{\"a\":1,\n \"é😀\":2, \"a\":3}", "syntax.duplicate_key", 2, 11 },
        { ArtifactFormat.Json, "{\"a\":1,\"\\u0061\":3}", "syntax.duplicate_key", 1, 8 },
        { ArtifactFormat.Json, "{\"a\":1e999}", "syntax.number", 1, 6 },
        { ArtifactFormat.Json, "{\"a\":12345678901234567890}", "syntax.number", 1, 6 },
        { ArtifactFormat.Json, "{\"a\":01}", "syntax.json", 1, 7 },
        { ArtifactFormat.Json, "{\"a\":NaN}", "syntax.json", 1, 6 },
        { ArtifactFormat.Json, "{\"a\":1,}", "syntax.json", 1, 8 },
        { ArtifactFormat.Json, "{\"a\":1} // c", "syntax.json", 1, 9 },
        { ArtifactFormat.Json, "/* c */ {\"a\":1}", "syntax.json", 1, 1 },
        { ArtifactFormat.Json, "{\"a\":1}\n{\"b\":1}", "syntax.json", 2, 1 },
        { ArtifactFormat.Json, "{'a':1}", "syntax.json", 1, 2 },
        { ArtifactFormat.Json, "{\"a\":\"\\ud800\"}", "syntax.control_character", 1, 6 },
        { ArtifactFormat.Json, "{\"a\":\"\\u0000\"}", "syntax.control_character", 1, 6 },
        { ArtifactFormat.Json, "{\"a\":", "syntax.json", 1, 6 },
        { ArtifactFormat.Json, "a: 1\n", "syntax.json", 1, 1 },
    };

    /// <param name="line">0: anywhere.</param>
    /// <param name="column">0: anywhere in the line.</param>
    [Theory, MemberData(nameof(Refused))]
    public void Refused_text_says_why_and_where(ArtifactFormat format, string text, string rule, int line, int column)
    {
        var finding = ArtifactReader.Read(text, format).Findings[0];

        Assert.Contains(finding.Rule, rule.Split('|'));
        Assert.Equal(Severity.Error, finding.Severity);
        Assert.True(finding.Line >= 1 && finding.Column >= 1);
        if (line > 0) Assert.Equal(line, finding.Line);
        if (column > 0) Assert.Equal(column, finding.Column);
    }

    [Fact]
    public void All_that_can_be_said_about_the_syntax_is_said_at_once()
    {
        var reading = Job.Yaml("a: &x 1\nb: 1e999\nc: !t 1\nc: 2\n");
        Assert.Equal(["syntax.anchor", "syntax.number", "syntax.tag", "syntax.duplicate_key"], reading.Findings.Select(f => f.Rule));
    }

    [Fact]
    public void What_hides_in_bytes_is_refused_with_its_place()
    {
        var latin1 = ArtifactReader.Read(Encoding.Latin1.GetBytes("a: 1\nb: ä\n"), ArtifactFormat.Yaml).Findings[0];
        Assert.Equal(("syntax.encoding", 2, 4), (latin1.Rule, latin1.Line, latin1.Column));
        var overlong = ArtifactReader.Read(new byte[] { (byte)'a', (byte)':', (byte)' ', 0xC0, 0xAF }, ArtifactFormat.Yaml).Findings[0];
        Assert.Equal("syntax.encoding", overlong.Rule);
        var utf16 = ArtifactReader.Read(Encoding.Unicode.GetPreamble().Concat(Encoding.Unicode.GetBytes("a: 1")).ToArray(), ArtifactFormat.Yaml).Findings[0];
        Assert.Equal("syntax.encoding", utf16.Rule);
        Assert.Equal("syntax.encoding", Job.Yaml("a: \ud800").Findings[0].Rule);
    }

    [Fact]
    public void A_byte_order_mark_changes_nothing()
    {
        byte[] marked = [0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(Job.Manual)];
        Assert.Equal(Job.Hash(Job.Yaml(Job.Manual)), Job.Hash(ArtifactReader.Read(marked, ArtifactFormat.Yaml)));
    }

    [Fact]
    public void Limits_are_named()
    {
        Assert.Equal("limits.size", Job.Yaml(new string('#', ArtifactLimits.MaxBytes + 1)).Findings[0].Rule);
        Assert.Equal("limits.depth", Job.Yaml(new string('[', 33) + new string(']', 33)).Findings[0].Rule);
        Assert.Equal("limits.depth", Job.Json(new string('[', 33) + new string(']', 33)).Findings[0].Rule);
        Assert.Equal("limits.nodes", Job.Json($"[{string.Join(',', Enumerable.Repeat("1", ArtifactLimits.MaxNodes))}]").Findings[0].Rule);
        Assert.Equal("limits.name", Job.Yaml(new string('k', ArtifactLimits.MaxNameLength + 1) + ": 1").Findings[0].Rule);
        var many = Job.With(string.Concat(Enumerable.Range(0, 200).Select(i => $"field{i}: 1\n"))).Findings;
        Assert.Equal((ArtifactLimits.MaxFindings + 1, "limits.findings"), (many.Count, many[^1].Rule));
    }

    [Fact]
    public void Depth_32_is_read()
    {
        var nested = string.Concat(Enumerable.Repeat("[", 31)) + "1" + string.Concat(Enumerable.Repeat("]", 31));
        Assert.True(Job.With($"x-deep: {nested}\n").IsValid);
    }

    [Fact]
    public void Yes_no_on_off_and_times_of_day_are_text()
    {
        var reading = Job.With("x-a: [yes, no, on, off, 09:00, 12:30:45, 2026-01-01, 1_000, 0b1]\n");
        Assert.Contains("""["yes","no","on","off","09:00","12:30:45","2026-01-01","1_000","0b1"]""", reading.CanonicalJson, StringComparison.Ordinal);
    }

    [Fact]
    public void No_bytes_make_the_reader_throw() =>
        Gen.Byte.Array[0, 200].Select(Gen.Bool).Sample((bytes, json) => ReadIsTotal(bytes, json ? ArtifactFormat.Json : ArtifactFormat.Yaml), iter: 8_000);

    [Fact]
    public void No_shuffling_of_yaml_and_json_signs_makes_the_reader_throw() =>
        Gen.OneOf([.. new[] { "{", "}", "[", "]", ",", ":", ": ", "- ", "? ", "&a", "*a", "!", "!!", "!<", "|", ">", "|+2", "%", "@", "`", "'", "\"", "\\", "#", " #", "\n", "\n  ", "\r", "\t", " ", "---", "...", "~", "<<", "0x", "1e9", "é", "😀", "a", "job_id", "schedule", "null", "\\u00", "\ufeff", "%YAML 1.2\n", "%TAG ! a" }.Select(Gen.Const)])
            .Array[0, 40].Select(Gen.Bool)
            .Sample((parts, json) => ReadIsTotal(Encoding.UTF8.GetBytes(string.Concat(parts)), json ? ArtifactFormat.Json : ArtifactFormat.Yaml), iter: 8_000);

    [Fact]
    public void No_damage_to_a_real_artifact_makes_the_reader_throw()
    {
        var example = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Vectors", "dso_daily", "specification.yaml"));
        Gen.Int[0, example.Length - 1].Select(Gen.Byte).Array[1, 8].Sample(edits =>
        {
            var damaged = example.ToArray();
            foreach (var (at, value) in edits) damaged[at] = value;
            return ReadIsTotal(damaged, ArtifactFormat.Yaml);
        }, iter: 1_500);
    }

    /// <summary>Every answer is either a job with its hash, or at least one error; and every error about text says where.</summary>
    private static bool ReadIsTotal(byte[] bytes, ArtifactFormat format)
    {
        var reading = ArtifactReader.Read(bytes, format);
        var errors = reading.Findings.Where(f => f.Severity == Severity.Error).ToList();
        return (reading.Job is not null || errors.Count > 0)
            && (reading.Job is null) == (reading.ContentHash is null)
            && errors.All(f => (f.Line >= 1 && f.Column >= 1) || f.Rule == "limits.findings");
    }
}
