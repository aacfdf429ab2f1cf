using System.Text.Json;
using Google.Rpc;
using Grpc.Core;
using KpiControl.Cli.Tests.Support;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Tests;

public sealed class ApplyTests(ScriptedControlPlane server) : IClassFixture<ScriptedControlPlane>
{
    private static CreateJobResponse Made(bool created = true) => new()
    { BindingId = 7, DefId = 3, ContentHash = Wire.Hash, Tenant = "acme", Environment = "dev", Region = "eu", JobId = "dso_daily", Created = created };

    private static RpcException Exists() =>
        Failures.Of(Grpc.Core.StatusCode.AlreadyExists, "BINDING_EXISTS", "acme/dev/dso_daily exists with another hash.", null, ("binding_id", "7"));

    [Theory]
    [InlineData(true, "created")]
    [InlineData(false, "unchanged")]
    public async Task One_file_is_created_or_unchanged(bool created, string outcome)
    {
        server.Script.When<CreateJobRequest>(_ => Made(created));
        using var kpictl = new CommandLine(server);
        var file = kpictl.File("job.yaml", "job_id: dso_daily\n");

        var result = await kpictl.Run("apply", "-f", file, "--env", "stg", "--region", "us");

        var asked = server.Script.Last<CreateJobRequest>();
        Assert.Equal((0, ""), (result.Exit, result.Error));
        Assert.Equal(("stg", "us", "yaml", "job_id: dso_daily\n", false), (asked.Environment, asked.Region, asked.Format, asked.Content, asked.ValidateOnly));
        Assert.Matches($"(?m)^acme/dev/dso_daily +{outcome} +eu +7 ", result.Out);
    }

    [Fact]
    public async Task The_home_region_that_was_taken_is_said_and_one_that_was_given_is_not()
    {
        server.Script.When<CreateJobRequest>(_ => Made());
        using var kpictl = new CommandLine(server);
        var file = kpictl.File("job.yaml", "job_id: dso_daily\n");

        Assert.Equal("no --region was given: eu is the home region of acme\n", (await kpictl.Run("apply", "-f", file)).Error);
        Assert.Equal("", (await kpictl.Run("apply", "-f", file, "--region", "eu")).Error);
    }

    [Fact]
    public async Task A_job_is_applied_after_the_jobs_whose_kpis_it_waits_for()
    {
        var order = new List<string>();
        server.Script.When<CreateJobRequest>(request =>
        {
            if (!request.ValidateOnly)
                lock (order)
                    order.Add(request.Content.Split('\n')[0]);
            var made = Made();
            if (request.ValidateOnly && request.Content.Contains("kpis:", StringComparison.Ordinal))
                made.Findings.Add(new Protocol.V1.Finding { Rule = "graph.unbound_kpi", Severity = "warning", Message = "No active job in acme/dev in eu computes KPI-1@1.0.0: a run waits." });
            return made;
        });
        using var kpictl = new CommandLine(server);
        for (var n = 3; n > 0; n--)
            kpictl.File($"jobs/{3 - n}.yaml", $$"""
                job_id: job_{{n}}
                tenant: acme
                kpi_id: KPI-{{n}}
                contract_version: 1.0.0
                schedule: { type: cron, expression: "0 2 * * *" }
                {{(n == 1 ? "" : $"dependencies: {{ kpis: [ {{ kpi_id: KPI-{n - 1}, contract_version: 1.0.0 }} ] }}")}}
                """);
        var jobs = Path.Combine(kpictl.Home, "jobs");

        var rehearsed = await kpictl.Run("apply", "-f", jobs, "--dry-run", "--region", "eu");
        var applied = await kpictl.Run("apply", "-f", jobs, "--region", "eu");

        Assert.Equal((0, "", 0), (rehearsed.Exit, rehearsed.Error, applied.Exit));
        Assert.Equal(["job_id: job_1", "job_id: job_2", "job_id: job_3"], order);
    }

    [Fact]
    public async Task A_changed_meaning_rebinds_with_the_etag_that_was_seen()
    {
        server.Script.When<CreateJobRequest>(_ => throw Exists());
        server.Script.When<GetJobRequest>(_ => Wire.Job());
        server.Script.When<UpdateJobRequest>(_ => new UpdateJobResponse { BindingId = 7, DefId = 4, ContentHash = "sha256:bb", Rebound = true, Job = Wire.Job() });
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("apply", "-f", kpictl.File("job.json", "{}"));

        var asked = server.Script.Last<UpdateJobRequest>();
        Assert.Equal(0, result.Exit);
        Assert.Equal((7, "e1", "json", "{}"), (asked.BindingId, asked.Etag, asked.Format, asked.Content));
        Assert.Matches("(?m)^acme/dev/dso_daily +rebound ", result.Out);
    }

    [Fact]
    public async Task A_binding_does_not_move_to_another_region()
    {
        server.Script.When<CreateJobRequest>(_ => throw Exists());
        server.Script.When<GetJobRequest>(_ => Wire.Job());
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("apply", "-f", kpictl.File("job.yaml", "a: 1\n"), "--region", "us");

        Assert.Equal(1, result.Exit);
        Assert.Contains("is bound in region eu, and a binding does not move", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_mistake_in_one_of_several_files_applies_none()
    {
        var real = 0;
        server.Script.When<CreateJobRequest>(request =>
        {
            if (request.Content.Contains("bad", StringComparison.Ordinal))
                throw Failures.Of(Grpc.Core.StatusCode.InvalidArgument, "INVALID_ARTIFACT", "summary", new BadRequest
                {
                    FieldViolations = { new BadRequest.Types.FieldViolation { Field = "/schedule/expression", Reason = "meaning.cron", Description = "line 4, column 3: there is no 32nd of a month" } },
                });
            real += request.ValidateOnly ? 0 : 1;
            return Made();
        });
        using var kpictl = new CommandLine(server);
        kpictl.File("jobs/good.yaml", "good: 1\n");
        var bad = kpictl.File("jobs/bad.yaml", "bad: 1\n");

        var result = await kpictl.Run("apply", "-f", Path.Combine(kpictl.Home, "jobs"));

        Assert.Equal((1, 0, ""), (result.Exit, real, result.Out));
        Assert.Contains($"error: {bad}: refused (INVALID_ARTIFACT)\n", result.Error, StringComparison.Ordinal);
        Assert.Contains($"\n{bad}:4:3: error meaning.cron: there is no 32nd of a month\n", result.Error, StringComparison.Ordinal);
        Assert.Contains("nothing was applied: 1 of 2 files", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dry_run_changes_nothing_and_json_tells_file_and_outcome()
    {
        server.Script.When<CreateJobRequest>(request => request.ValidateOnly ? Made() : throw new InvalidOperationException());
        using var kpictl = new CommandLine(server);
        var file = kpictl.File("job.yaml", "a: 1\n");

        var result = await kpictl.Run("apply", "-f", file, "--dry-run", "-o", "json");

        using var json = JsonDocument.Parse(result.Out);
        Assert.Equal(("created", file, 7), (json.RootElement[0].GetProperty("outcome").GetString(), json.RootElement[0].GetProperty("file").GetString(),
            json.RootElement[0].GetProperty("binding_id").GetInt32()));
    }

    [Fact]
    public async Task A_file_that_is_not_there_is_said_before_anything_is_sent()
    {
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("apply", "-f", Path.Combine(kpictl.Home, "nope.yaml"));

        Assert.Equal(2, result.Exit);
        Assert.Contains("there is no file or directory", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Contracts_are_stored_listed_printed_and_moved()
    {
        var contract = new Contract { Tenant = "acme", KpiId = "CFO-EF-02", Version = "1.1.0", Status = "active", Digest = "sha256:cc", Grain = "month", Content = "header: {}\n" };
        server.Script.When<PutContractRequest>(_ => contract);
        server.Script.When<GetContractRequest>(_ => contract);
        server.Script.When<ListContractsRequest>(_ => new ListContractsResponse { Contracts = { contract } });
        server.Script.When<SetContractStatusRequest>(_ => contract);
        using var kpictl = new CommandLine(server);

        Assert.Equal("CFO-EF-02@1.1.0 stored: active, sha256:cc\n", (await kpictl.Run("contracts", "put", "-f", kpictl.File("c.yaml", "header: {}\n"))).Out);
        Assert.Matches("(?m)^CFO-EF-02 +1.1.0 +active +month", (await kpictl.Run("contracts", "list")).Out);
        Assert.Equal("header: {}\n", (await kpictl.Run("contracts", "get", "CFO-EF-02@1.1.0")).Out);
        Assert.Equal(2, (await kpictl.Run("contracts", "get", "CFO-EF-02")).Exit);
        Assert.Equal("CFO-EF-02@1.1.0 is active\n", (await kpictl.Run("contracts", "status", "CFO-EF-02@1.1.0", "active")).Out);
    }

    [Fact]
    public async Task A_contract_is_stored_with_the_jobs_that_it_breaks_and_retired_after_they_were_shown()
    {
        var contract = new Contract
        {
            KpiId = "CFO-EF-02", Version = "2.0.0", Status = "active", Digest = "sha256:cc", MoreEffects = true,
            Effects =
            {
                new ContractEffect
                {
                    Environment = "prod", Region = "eu", JobId = "dso_daily", ContractVersion = "1.1.0", Breaks = true,
                    Findings =
                    {
                        new Finding { Rule = "contract.dependency_left", Severity = "warning", Message = "It would still wait." },
                        new Finding { Rule = "contract.missing_dependency", Severity = "error", Message = "It does not wait for GDP_New." },
                    },
                    Breaking = { new BreakingReason { Rule = "breaking.grain", Message = "Values would be by day." } },
                },
                new ContractEffect { Environment = "dev", Region = "eu", JobId = "dso_restated", ContractVersion = "1.0.0" },
            },
        };
        server.Script.When<PutContractRequest>(_ => contract);
        server.Script.When<SetContractStatusRequest>(_ => contract);
        using var kpictl = new CommandLine(server);

        var put = (await kpictl.Run("contracts", "put", "-f", kpictl.File("c.yaml", "header: {}\n"), "--dry-run")).Out;

        Assert.Contains("CFO-EF-02@2.0.0 can be stored (dry run): active, sha256:cc\n  jobs bound to this version or earlier ones: 2 and more, which are not shown; it breaks 1\n", put, StringComparison.Ordinal);
        Assert.Matches("(?m)^  prod/dso_daily +eu +1.1.0 +yes +contract.missing_dependency: It does not wait for GDP_New. *$", put);
        Assert.Matches("(?m)^ +breaking.grain: Values would be by day. *\n +warning contract.dependency_left: It would still wait. *$", put);
        Assert.Matches("(?m)^  dev/dso_restated +eu +1.0.0 +no *$", put);
        Assert.Matches("is active\n +jobs bound", (await kpictl.Run("contracts", "status", "CFO-EF-02@2.0.0", "retired")).Out);
        Assert.False(server.Script.Last<SetContractStatusRequest>().ValidateOnly);
        kpictl.Typed = "n\n";
        var kept = await kpictl.Run("contracts", "status", "CFO-EF-02@2.0.0", "retired");
        Assert.Matches("(?s)prod/dso_daily .*", kept.Out);
        Assert.EndsWith("Retire CFO-EF-02@2.0.0? Its jobs are refused from then on. [y/N] error: not retired\n", kept.Error, StringComparison.Ordinal);
        Assert.True(server.Script.Last<SetContractStatusRequest>().ValidateOnly);
    }
}
