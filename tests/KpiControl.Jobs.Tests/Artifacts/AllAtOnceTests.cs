using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Tests.Artifacts;

/// <summary>A mistake of one stage hides none of another, and none is told twice.</summary>
public sealed class AllAtOnceTests
{
    private static IEnumerable<string> Said(ArtifactReading reading) => reading.Findings.Select(f => $"{f.Rule} {f.Path} {f.Line}:{f.Column}");

    [Fact]
    public void A_bad_cron_is_mentioned_beside_an_unknown_field() => Assert.Equal(
        ["schema.unknown_field /timeuot 6:1", "meaning.cron /schedule/expression 5:37"],
        Said(Job.Cron("61 2 * * *", "timeuot: 15m\n")));

    [Fact]
    public void Every_stage_has_its_say()
    {
        const string Text = """
            job_id: Not-An-Id
            tenant: acme
            kpi_id: K-1
            contract_version: 1.0.0
            schedule: { type: cron, expression: "0 0 30 2 *", timezone: Europe/Berlin, calendar: holidays, overlap: maybe }
            dependencies: { gdp: [GDP_A], max_age: { GDP_B: 1h } }
            labels: [a, a, 5]
            timeout: 25h
            runtime: { filters: [{ field: a, op: "=~", value: 1 }, { field: b, op: is_null, value: 1 }] }
            run: { profile: backfill, priority: 9 }
            x-password: hunter2hunter2
            """;
        Assert.Equal(
            [
                "schema.pattern /job_id 1:9", "schema.enum /schedule/overlap 5:105", "schema.type /labels/2 7:16",
                "schema.enum /runtime/filters/0/op 9:38", "schema.maximum /run/priority 10:37",
                "meaning.no_next_occurrence /schedule/expression 5:37", "meaning.max_age /dependencies/max_age/GDP_B 6:49", "meaning.duplicate /labels/1 7:13",
                "meaning.duration /timeout 8:10", "meaning.filter_value /runtime/filters/1/value 9:88", "meaning.backfill_window /run/profile 10:17",
                "secrets.named /x-password 11:13",
            ],
            Said(Job.Yaml(Text)));
    }

    [Theory]
    [InlineData("schedule: { type: corn, expression: \"0 2 * * *\", on: [a] }")]
    [InlineData("schedule: { type: event, on: [a] }\nx: 1")]
    [InlineData("schedule: { type: cron, expression: 5 }")]
    [InlineData("schedule: { type: cron, expresion: \"0 2 * * *\" }")]
    [InlineData("schedule: daily")]
    [InlineData("schedule: { expression: \"0 2 * * *\" }")]
    [InlineData("schedule: { type: cron, expression: \"0 23 * * *\", timezon: Asia/Tokyo }\nsla: { availability: \"09:00\" }")]
    [InlineData("schedule: { type: cron, expression: \"*/5 * * * *\" }\nretry: { max_retries: 3, backof: none }")]
    [InlineData("schedule: { type: cron, expression: \"0 * * * *\" }\ndependencies: { wait_timout: 5m, signals: [a] }")]
    [InlineData("schedule: { type: manual }\ndependencies: { gpd: [GDP_A], max_age: { GDP_A: 1h } }")]
    [InlineData("schedule: { type: manual }\ndependencies: { gdp: [GDP_A, 5], max_age: { GDP_B: 1h } }")]
    [InlineData("schedule: { type: manual }\nretry: { initial: 1h, max: soon }")]
    [InlineData("schedule: { type: cron, expression: \"0 2 15 * 1\", day_mach: all }")]
    [InlineData("schedule: { type: manual }\nruntime: { filters: [{ field: a, value: [1] }] }")]
    public void What_only_follows_from_a_mistake_is_left_out(string lines)
    {
        var findings = Job.Yaml(Job.Head + lines).Findings;
        Assert.NotEmpty(findings);
        Assert.All(findings, f => Assert.True(f.Rule.StartsWith("schema.", StringComparison.Ordinal), $"{f.Rule}: {f.Message}"));
    }

    [Fact]
    public void A_job_with_a_refused_part_has_no_hash_and_remains_for_further_checks()
    {
        var reading = Job.Yaml("job_id: a\ntenant: acme\nkpi_id: K-1\ncontract_version: one\nschedule: { type: manual }\nruntime: { dimensions: [7, region] }\n");
        Assert.Null(reading.Job);
        Assert.Null(reading.ContentHash);
        Assert.Equal(("acme", ""), (reading.Remains!.Tenant, reading.Remains.ContractVersion));
        Finding[] further = [Made("/contract_version", "contract.unknown"), Made("/owners", "policy.owner"), Made("/runtime/dimensions/0", "policy.test"), Made("", "policy.region")];
        Assert.Equal(["/runtime/dimensions/1", ""], reading.About(further).Select(f => f.Path));
        Assert.Null(Job.Yaml("[]").Remains);

        static Finding Made(string path, string rule) => new(path, 0, 0, rule, Severity.Error, "");
    }
}
