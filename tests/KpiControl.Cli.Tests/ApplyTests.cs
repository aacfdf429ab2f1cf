using System.Text.Json;
using KpiControl.Cli.Tests.Support;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Tests;

public sealed class ApplyTests(ScriptedControlPlane server) : IClassFixture<ScriptedControlPlane>
{
    [Fact]
    public async Task A_file_is_named_either_way_and_a_region_that_was_taken_is_said()
    {
        server.Script.When<PlanJobsRequest>(_ => new Plan { Digest = "sha256:d", Tenant = "acme", Environment = "stg", Jobs = { new PlannedJob { JobId = "dso_daily", Action = "create" } } });
        server.Script.When<ApplyPlanRequest>(_ => new ApplyPlanResponse { Jobs = { new AppliedJob { JobId = "dso_daily", Outcome = "created", Region = "eu", BindingId = 7, ContentHash = Wire.Hash } } });
        using var kpictl = new CommandLine(server);
        var (job, other) = (kpictl.File("job.yaml", "job_id: dso_daily\n"), kpictl.File("other.json", "{}"));

        var result = await kpictl.Run("apply", job, "-f", other, "--env", "stg");

        var asked = server.Script.Last<ApplyPlanRequest>();
        Assert.Equal(["yaml job_id: dso_daily\n", "json {}"], asked.Artifacts.Select(artifact => $"{artifact.Format} {artifact.Content}"));
        Assert.Equal((0, "1 created, 0 unchanged\nno --region was given: eu is the tenant's home region\n"), (result.Exit, result.Error));
        Assert.Matches("(?m)^dso_daily +created +eu +7 ", result.Out);
        Assert.Equal("1 created, 0 unchanged\n", (await kpictl.Run("apply", "-f", job, other, "--region", "eu")).Error);
    }

    [Fact]
    public async Task A_dry_run_asks_for_nothing_to_be_stored()
    {
        server.Script.When<PlanJobsRequest>(_ => new Plan { Digest = "sha256:d", Jobs = { new PlannedJob { JobId = "dso_daily", Action = "rebind" } } });
        server.Script.When<ApplyPlanRequest>(request => request.ValidateOnly ? new ApplyPlanResponse { Jobs = { new AppliedJob { JobId = "dso_daily", Outcome = "rebound", BindingId = 7 } } } : throw new InvalidOperationException());
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("apply", kpictl.File("job.yaml", "job_id: dso_daily\n"), "--dry-run", "-o", "json");

        using var json = JsonDocument.Parse(result.Out);
        Assert.Equal(("rebound", 7), (json.RootElement.GetProperty("jobs")[0].GetProperty("outcome").GetString(), json.RootElement.GetProperty("jobs")[0].GetProperty("binding_id").GetInt32()));
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
