using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Tests.Support;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Tests;

public sealed class PlanCommandTests(ScriptedControlPlane server) : IClassFixture<ScriptedControlPlane>
{
    [Fact]
    public async Task A_directory_is_planned_with_all_below_it_and_what_is_no_job_is_left_out_and_said()
    {
        server.Script.When<PlanJobsRequest>(_ => Nothing());
        using var kpictl = new CommandLine(server);
        kpictl.File("jobs/a.yaml", "job_id: a\nkpi_id: K\n");
        kpictl.File("jobs/deep/b.json", """{"job_id": "b"}""");
        kpictl.File("jobs/deep/broken.yml", "job_id: c\n  x: [\n");
        kpictl.File("jobs/contract.yaml", "header: { kpi_id: K }\n");
        kpictl.File("jobs/notes.txt", "job_id: no\n");

        var result = await kpictl.Run("plan", Path.Combine(kpictl.Home, "jobs"), "--env", "stg", "--region", "us", "--source", "git-main", "--prune");

        var asked = server.Script.Last<PlanJobsRequest>();
        Assert.Equal(("stg", "us", "git-main", "remove"), (asked.Environment, asked.Region, asked.Source, asked.Prune));
        Assert.Equal(["yaml job_id: a", "json {\"job_id\": \"b\"}", "yaml job_id: c"], asked.Artifacts.Select(artifact => $"{artifact.Format} {artifact.Content.Split('\n')[0]}"));
        Assert.Equal($"{Path.Combine(kpictl.Home, "jobs", "contract.yaml")}: ignored, it is no job artifact\n", result.Error);
        Assert.Equal((0, "acme/dev: 2 unchanged\ndigest sha256:d\n"), (result.Exit, result.Out));
    }

    [Theory]
    [InlineData(0, "plan")]
    [InlineData(2, "plan", "--detailed-exitcode")]
    [InlineData(2, "diff")]
    public async Task The_exit_code_says_whether_something_differs_where_it_is_asked(int exit, params string[] command)
    {
        server.Script.When<PlanJobsRequest>(_ => Rebind());
        using var kpictl = new CommandLine(server);
        var file = kpictl.File("job.yaml", "job_id: dso_daily\n");

        Assert.Equal(exit, (await kpictl.Run([.. command, file])).Exit);
        server.Script.When<PlanJobsRequest>(_ => Nothing());
        Assert.Equal(0, (await kpictl.Run([.. command, file])).Exit);
        // 2 means changes: neither a slip on the command line nor a missing file may say that.
        Assert.Equal(1, (await kpictl.Run([.. command, file, "--no-such-option"])).Exit);
        Assert.Equal(1, (await kpictl.Run([.. command, file + ".gone"])).Exit);
    }

    [Fact]
    public async Task What_is_invalid_is_told_as_compilers_do_and_is_an_error()
    {
        server.Script.When<PlanJobsRequest>(_ => new Plan
        {
            Tenant = "acme", Environment = "dev", Counts = { ["invalid"] = 1 },
            Jobs = { new PlannedJob { Action = "invalid", Findings = { new Protocol.V1.Finding { Line = 3, Column = 5, Rule = "schema.type", Severity = "error", Message = "No." } } } },
        });
        using var kpictl = new CommandLine(server);
        var file = kpictl.File("job.yaml", "job_id: dso_daily\n");

        var result = await kpictl.Run("plan", file, "--detailed-exitcode");

        Assert.Equal((1, $"{file}:3:5: error schema.type: No.\n", "acme/dev: 1 invalid\n"), (result.Exit, result.Error, result.Out));
    }

    [Fact]
    public async Task The_table_tells_fields_breakage_fire_times_promises_dependents_and_approvers()
    {
        server.Script.When<PlanJobsRequest>(_ => Rebind());
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("plan", kpictl.File("job.yaml", "job_id: dso_daily\n"));

        foreach (var line in new[]
        {
            "~ rebind dso_daily in eu (r4)  BREAKING", "    breaking: Days would begin elsewhere. [breaking.timezone]", "    fire times:", "      2026-01-01 02:00Z moves to 2026-01-01 01:00Z",
            "      2026-01-02 00:00Z stays", "    clock change 2026-03-29 01:00Z (Europe/Berlin +01:00 → +02:00): the change moves 2026-03-29 02:30:00 to 2026-03-29 03:00:00",
            "    promises and alerts: loosened: freshness: 12h → 1d", "    downstream: A@1.0.0, B@1.0.0 and 3 more", "    needs the approval of: business bea, technical approver",
            "acme/prod: 1 to rebind; applying opens changes, which wait for approval", "digest sha256:d",
        })
            Assert.Contains(line + "\n", result.Out, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^    /schedule/timezone +""UTC"" +→ +""Europe/Berlin""$", result.Out);
    }

    [Fact]
    public async Task Markdown_is_a_comment_in_which_no_authors_text_becomes_markup()
    {
        server.Script.When<PlanJobsRequest>(_ =>
        {
            var plan = Rebind();
            plan.Jobs[0].Notes.Add("<img src=x> @everyone [here](http://x) | **bold**");
            plan.Jobs[0].Differences.Add(new FieldChange { Path = "/description", Before = "\"a`b|c\"", After = "" });
            return plan;
        });
        using var kpictl = new CommandLine(server);

        var text = (await kpictl.Run("plan", kpictl.File("job.yaml", "job_id: dso_daily\n"), "-o", "markdown")).Out;

        Assert.StartsWith("### KPI jobs in `acme/prod`: 1 to rebind\n\n| job | action | breaking | downstream | needs the approval of |\n|---|---|---|---|---|\n| `dso_daily` | rebind | **yes** | 5 | business bea, technical approver |\n", text, StringComparison.Ordinal);
        Assert.Contains("- &lt;img src=x&gt; \\@everyone \\[here\\](http://x) \\| \\*\\*bold\\*\\*\n", text, StringComparison.Ordinal);
        Assert.Contains("| `/description` | `\"a'b\\|c\"` | `–` |\n", text, StringComparison.Ordinal);
        Assert.EndsWith("Plan `sha256:d`; applying it opens changes, which wait for approval.\n", text, StringComparison.Ordinal);
    }

    private static Plan Nothing() => new()
    {
        Digest = "sha256:d", Tenant = "acme", Environment = "dev", Counts = { ["unchanged"] = 2 },
        Jobs = { new PlannedJob { JobId = "a", Action = "unchanged" }, new PlannedJob { Artifact = 1, JobId = "b", Action = "unchanged" } },
    };

    private static Plan Rebind() => new()
    {
        Digest = "sha256:d", Tenant = "acme", Environment = "prod", NeedsApproval = true, Counts = { ["rebind"] = 1 },
        Jobs =
        {
            new PlannedJob
            {
                JobId = "dso_daily", Region = "eu", BindingId = 7, Action = "rebind", BaseEtag = "r4",
                Differences = { new FieldChange { Path = "/schedule/timezone", Before = "\"UTC\"", After = "\"Europe/Berlin\"" } },
                Breaking = { new BreakingReason { Rule = "breaking.timezone", Path = "/schedule/timezone", Message = "Days would begin elsewhere." } },
                FireTimes = { new PlannedFireTime { Kind = "moves", Before = At("2026-01-01T02:00:00Z"), After = At("2026-01-01T01:00:00Z") }, new PlannedFireTime { Kind = "stays", Before = At("2026-01-02T00:00:00Z"), After = At("2026-01-02T00:00:00Z") } },
                ClockChange = new ClockChange
                {
                    At = At("2026-03-29T01:00:00Z"), Timezone = "Europe/Berlin", OffsetBefore = "+01:00", OffsetAfter = "+02:00",
                    FireTimes = { new PlannedFireTime { Kind = "stays", Before = At("2026-03-29T02:00:00Z"), After = At("2026-03-29T02:00:00Z") } },
                    Effects = { new ClockEffect { Kind = "moves", Without = "2026-03-29T02:30:00", With = "2026-03-29T03:00:00" } },
                },
                Effects = { new PromiseEffect { Kind = "loosened", Path = "/sla/freshness", Message = "freshness: 12h → 1d" } },
                Downstream = { "A@1.0.0", "B@1.0.0" }, DownstreamCount = 5,
                Required = { new RequiredApproval { Capacity = "business", Principal = "bea" }, new RequiredApproval { Capacity = "technical" } },
            },
        },
    };

    private static Timestamp At(string instant) => Timestamp.FromDateTimeOffset(DateTimeOffset.Parse(instant, System.Globalization.CultureInfo.InvariantCulture));
}
