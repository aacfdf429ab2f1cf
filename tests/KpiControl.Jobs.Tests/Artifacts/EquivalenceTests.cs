using System.Text.Json.Nodes;
using CsCheck;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Tests.Artifacts;

/// <summary>What does not change the meaning does not change the hash, and what changes the meaning does; over jobs at random.</summary>
public sealed class EquivalenceTests
{
    private static readonly Gen<int> Seeds = Gen.Int;

    private static void Holds(Func<Random, JsonObject, string> respell, ArtifactFormat format) =>
        Seeds.Sample(seed =>
        {
            var random = new Random(seed);
            var job = RandomJob.Make(random);
            var plain = Job.Json(job.ToJsonString());
            var respelt = respell(random, job);
            var other = ArtifactReader.Read(respelt, format);
            return plain.ContentHash is not null && plain.ContentHash == other.ContentHash && plain.CanonicalJson == other.CanonicalJson;
        }, iter: 150, print: seed => respell(new Random(seed), RandomJob.Make(new Random(seed))));

    [Fact]
    public void Yaml_or_json() => Holds((_, job) => ArtifactConverter.Convert(job.ToJsonString(), ArtifactFormat.Json, ArtifactFormat.Yaml).Text!, ArtifactFormat.Yaml);

    [Fact]
    public void There_and_back_again() => Holds((_, job) =>
    {
        var yaml = ArtifactConverter.Convert(job.ToJsonString(), ArtifactFormat.Json, ArtifactFormat.Yaml).Text!;
        return ArtifactConverter.Convert(yaml, ArtifactFormat.Yaml, ArtifactFormat.Json).Text!;
    }, ArtifactFormat.Json);

    [Fact]
    public void Flow_style_is_the_json_itself() => Holds((_, job) => "# a comment\n" + job.ToJsonString() + " # and one more\n", ArtifactFormat.Yaml);

    [Fact]
    public void Comments_and_blank_lines() => Holds((random, job) =>
    {
        var yaml = ArtifactConverter.Convert(job.ToJsonString(), ArtifactFormat.Json, ArtifactFormat.Yaml).Text!;
        return string.Concat(yaml.Split('\n').Select(line => random.Next(3) switch { 0 => $"# {line}\n{line}\n", 1 => $"{line} # why\n", _ => $"\n{line}\n" }));
    }, ArtifactFormat.Yaml);

    [Fact]
    public void The_order_of_members() => Holds((random, job) => Respelling.Shuffled(job, random).ToJsonString(), ArtifactFormat.Json);

    [Fact]
    public void Nulls_and_empty_containers() => Holds((random, job) => Respelling.WithNothings(job, random).ToJsonString(), ArtifactFormat.Json);

    [Fact]
    public void Defaults_written_out() => Holds((_, job) => Respelling.WithDefaults(job).ToJsonString(), ArtifactFormat.Json);

    [Fact]
    public void The_order_and_repetition_in_sets() => Holds((random, job) => Respelling.WithSetsShuffled(job, random).ToJsonString(), ArtifactFormat.Json);

    [Fact]
    public void The_canonical_form_is_its_own_canonical_form() => Holds((_, job) => Job.Json(job.ToJsonString()).CanonicalJson!, ArtifactFormat.Json);

    [Fact]
    public void Different_meanings_have_different_hashes() =>
        Seeds.Select(Seeds).Sample((a, b) =>
        {
            var (one, other) = (Job.Json(RandomJob.Make(new Random(a)).ToJsonString()), Job.Json(RandomJob.Make(new Random(b)).ToJsonString()));
            return (one.CanonicalJson == other.CanonicalJson) == (one.ContentHash == other.ContentHash);
        }, iter: 150);

    [Theory]
    [InlineData("description: one", "description: two")]
    [InlineData("owners: { business: ann }", "owners: { technical: ann }")]
    [InlineData("x-note: 1", "x-note: \"1\"")]
    [InlineData("timeout: 14m", "timeout: 13m")]
    [InlineData("run: { conn_id: a }", "run: { conn_id: b }")]
    [InlineData("run: { stage_set: [kpi] }", "run: { profile: kpi_only }")]
    [InlineData("sla: { freshness: { target: 1h, grace: 0s } }", "sla: { freshness: 1h }")]
    [InlineData("runtime: { dimensions: [a, b] }", "runtime: { dimensions: [b, a] }")]
    [InlineData("runtime: { filters: [{ field: a, op: \"=\", value: 1 }] }", "runtime: { filters: [{ field: a, op: \"=\", value: \"1\" }] }")]
    [InlineData("runtime: { extensions: { time: [MoM, YoY] } }", "runtime: { extensions: { time: [YoY, MoM] } }")]
    public void Everything_written_is_meaning(string one, string other) =>
        Assert.NotEqual(Job.Hash(Job.With(one)), Job.Hash(Job.With(other)));

    [Fact]
    public void Zones_keep_their_spelling() =>
        Assert.NotEqual(Job.Hash(Job.Cron("0 2 * * *")), Job.Hash(Job.Cron("0 2 * * *", schedule: ", timezone: Etc/UTC")));

    [Fact]
    public void The_version_may_stand_unquoted_and_so_may_no_other()
    {
        var plain = Job.Hash(Job.Yaml(Job.Manual));
        Assert.Equal(plain, Job.Hash(Job.With("schema_version: 1.0")));
        Assert.Equal(plain, Job.Hash(Job.With("schema_version: '1.0'")));
        Job.Only("schema.pattern", Job.With("schema_version: '1'"));
        Job.Only("schema.maximum", Job.With("schema_version: 1.1"));
        Job.Only("schema.type", Job.Yaml(Job.Manual.Replace("contract_version: 1.0.0", "contract_version: 1.0", StringComparison.Ordinal)));
    }
}
