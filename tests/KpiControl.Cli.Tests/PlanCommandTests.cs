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
    [InlineData(3, "plan", "--detailed-exitcode")]
    [InlineData(3, "diff")]
    public async Task The_exit_code_says_whether_something_differs_where_it_is_asked(int exit, params string[] command)
    {
        server.Script.When<PlanJobsRequest>(_ => Rebind());
        using var kpictl = new CommandLine(server);
        var file = kpictl.File("job.yaml", "job_id: dso_daily\n");

        Assert.Equal(exit, (await kpictl.Run([.. command, file])).Exit);
        server.Script.When<PlanJobsRequest>(_ => Nothing());
        Assert.Equal(0, (await kpictl.Run([.. command, file])).Exit);
        // Neither a slip on the command line nor a missing file says that something differs; they are what they are elsewhere.
        Assert.Equal(2, (await kpictl.Run([.. command, file, "--no-such-option"])).Exit);
        Assert.Equal(2, (await kpictl.Run([.. command, file + ".gone"])).Exit);
        server.Script.When<PlanJobsRequest>(_ => throw Failures.Of(Grpc.Core.StatusCode.PermissionDenied, "PERMISSION_DENIED", "no"));
        Assert.Equal(1, (await kpictl.Run([.. command, file])).Exit);
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

    [Fact]
    public async Task Apply_does_what_it_has_just_planned_by_an_id_that_is_the_same_each_time()
    {
        server.Script.When<PlanJobsRequest>(_ => Rebind());
        server.Script.When<ApplyPlanRequest>(_ => new ApplyPlanResponse { Unchanged = 3, Jobs = { new AppliedJob { JobId = "dso_daily", Outcome = "proposed", Region = "eu", BindingId = 7, ContentHash = Wire.Hash, ChangeId = 12 } } });
        using var kpictl = new CommandLine(server);
        var file = kpictl.File("job.yaml", "job_id: dso_daily\n");

        var result = await kpictl.Run("apply", file, "--env", "prod", "--source", "git-main", "--reason", "month end");

        var asked = server.Script.Last<ApplyPlanRequest>();
        Assert.Equal(("prod", "git-main", "", "sha256:d", "month end", "r4"), (asked.Environment, asked.Source, asked.Prune, asked.PlanDigest, asked.Reason, asked.Planned.Jobs[0].BaseEtag));
        Assert.Empty(asked.Planned.Jobs[0].FireTimes);
        Assert.Equal(0, result.Exit);
        Assert.Matches("(?m)^dso_daily +proposed +eu +7 ", result.Out);
        Assert.Equal("1 proposed, 3 unchanged\ndso_daily is put in force once change 12 is approved: kpictl changes 12\n", result.Error);
        await kpictl.Run("apply", file, "--env", "prod", "--source", "git-main", "--reason", "month end");
        Assert.Equal(asked.RequestId, server.Script.Last<ApplyPlanRequest>().RequestId);
        Assert.Equal('8', asked.RequestId[14]);
        await kpictl.Run("apply", file, "--env", "prod");
        Assert.NotEqual(asked.RequestId, server.Script.Last<ApplyPlanRequest>().RequestId);
        // Planned later it may say the same, and is to be done again.
        var later = Rebind();
        later.PlannedAt.Seconds++;
        server.Script.When<PlanJobsRequest>(_ => later);
        await kpictl.Run("apply", file, "--env", "prod", "--source", "git-main", "--reason", "month end");
        Assert.NotEqual(asked.RequestId, server.Script.Last<ApplyPlanRequest>().RequestId);
    }

    [Fact]
    public async Task A_saved_plan_is_applied_and_none_other()
    {
        server.Script.When<PlanJobsRequest>(_ => Rebind());
        server.Script.When<ApplyPlanRequest>(_ => throw Failures.Of(Grpc.Core.StatusCode.FailedPrecondition, "PLAN_MOVED", "The plan no longer fits: dso_daily is bound as r5, and was bound as r4."));
        using var kpictl = new CommandLine(server);
        var file = kpictl.File("job.yaml", "job_id: dso_daily\n");
        var plan = kpictl.File("plan.json", (await kpictl.Run("plan", file, "-o", "json")).Out);
        server.Script.When<PlanJobsRequest>(_ => throw new InvalidOperationException("planned again"));

        var result = await kpictl.Run("apply", file, "--plan", plan, "--env", "prod");

        Assert.Equal(("sha256:d", 1), (server.Script.Last<ApplyPlanRequest>().PlanDigest, server.Script.Last<ApplyPlanRequest>().Planned.PolicyVersion + server.Script.Last<ApplyPlanRequest>().Planned.Jobs.Count));
        Assert.Equal((1, "error: The plan no longer fits: dso_daily is bound as r5, and was bound as r4. (PLAN_MOVED)\n  next: look at the plan of now: kpictl plan PATH\n"), (result.Exit, result.Error));
        await kpictl.Run("apply", file, "--plan-digest", "sha256:e");
        Assert.Equal(("sha256:e", null), (server.Script.Last<ApplyPlanRequest>().PlanDigest, server.Script.Last<ApplyPlanRequest>().Planned));
        Assert.Contains("is not a plan", (await kpictl.Run("apply", file, "--plan", file)).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_is_applied_where_nothing_differs_or_something_is_invalid()
    {
        server.Script.When<ApplyPlanRequest>(_ => throw new InvalidOperationException("applied"));
        server.Script.When<PlanJobsRequest>(_ => Nothing());
        using var kpictl = new CommandLine(server);
        var file = kpictl.File("job.yaml", "job_id: dso_daily\n");

        Assert.Equal((0, "nothing to do, 2 unchanged\n"), await kpictl.Run("apply", file) is var same ? (same.Exit, same.Error) : default);
        server.Script.When<PlanJobsRequest>(_ => new Plan { Jobs = { new PlannedJob { Action = "invalid" } } });
        Assert.Equal((1, "error: nothing was applied: 1 of 1 files would be refused\n  next: mend them and apply again\n"), await kpictl.Run("apply", file) is var bad ? (bad.Exit, bad.Error) : default);
        Assert.Equal(2, (await kpictl.Run("apply")).Exit);
    }

    private static Plan Nothing() => new()
    {
        Digest = "sha256:d", Tenant = "acme", Environment = "dev", Counts = { ["unchanged"] = 2 },
        Jobs = { new PlannedJob { JobId = "a", Action = "unchanged" }, new PlannedJob { Artifact = 1, JobId = "b", Action = "unchanged" } },
    };

    private static Plan Rebind() => new()
    {
        Digest = "sha256:d", Tenant = "acme", Environment = "prod", PlannedAt = new Timestamp { Seconds = 1_800_000_000 }, NeedsApproval = true, Counts = { ["rebind"] = 1 },
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
