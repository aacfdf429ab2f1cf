using Grpc.Core;
using KpiControl.Cli.Tests.Support;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Tests;

public sealed class LineageTests(ScriptedControlPlane server) : IClassFixture<ScriptedControlPlane>
{
    [Fact]
    public async Task Events_that_were_given_up_are_listed_with_why_and_sent_again()
    {
        var dead = new DeadEvent { EventId = 5, Tenant = "acme", Environment = "dev", JobId = "dso_daily", AttemptId = "0f0f", EventType = "COMPLETE", Tries = 40, LastError = "it answered 503" };
        server.Script.When<ListDeadEventsRequest>(_ => new ListDeadEventsResponse { Events = { dead } });
        server.Script.When<ResendEventsRequest>(request => new ResendEventsResponse { Events = request.EventId > 0 ? 1 : 3 });
        using var kpictl = new CommandLine(server);

        Assert.Matches("5 +acme/dev/dso_daily +COMPLETE +0f0f +.*40 +it answered 503", (await kpictl.Run("lineage", "dead")).Out);
        Assert.Equal("1 lineage event is sent again\n", (await kpictl.Run("lineage", "resend", "5", "--reason", "it is back")).Out);
        Assert.Equal((5L, "it is back"), server.Script.Last<ResendEventsRequest>() is var asked ? (asked.EventId, asked.Reason) : default);
        Assert.Equal("3 lineage events are sent again (dry run: nothing was changed)\n", (await kpictl.Run("lineage", "resend", "--all", "--dry-run")).Out);
        Assert.Equal(2, (await kpictl.Run("lineage", "resend")).Exit);
        Assert.Equal(2, (await kpictl.Run("lineage", "resend", "5", "--all")).Exit);
    }

    [Fact]
    public async Task Up_is_a_tree_with_each_node_drawn_once_and_what_was_only_declared_marked()
    {
        server.Script.When<GetLineageRequest>(_ => Total());
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("lineage", "--run", "9");

        Assert.Equal(9, server.Script.Last<GetLineageRequest>().RunId);
        Assert.Equal("""
            run/9 total T-TOTAL@1.0.0  2026-01-31  success  definition sha256:0123456789ab  values sha256:fedcba987654
            ├── run/7 north T-NORTH@1.0.0  2026-01-31  success
            │   └── table GDP_Sales  version 2026.02, refresh 4 through 2026-02-02 00:00:00Z by load-2, read at rows:2
            ├── run/8 south T-SOUTH@1.0.0  2026-01-31  success
            │   └── table GDP_Sales  version 2026.01, refresh 3 through 2026-02-01 00:00:00Z by load-1
            └── signal eod  DECLARED, NEVER RECORDED

            """, result.Out.ReplaceLineEndings("\n"));
        Assert.Equal((0, ""), (result.Exit, result.Error));
        Assert.Contains("\"values_digest\": \"sha256:fedcba9876543210\"", (await kpictl.Run("lineage", "run/9", "-o", "json")).Out, StringComparison.Ordinal);
        Assert.Equal("run/9\nrun/7\nrun/8\ntable/GDP_Sales\nsignal/eod\n", (await kpictl.Run("lineage", "run/9", "-o", "name")).Out.ReplaceLineEndings("\n"));
    }

    [Fact]
    public async Task Down_from_a_table_says_which_run_took_which_version_and_where_the_bounds_ended_it()
    {
        server.Script.When<GetLineageRequest>(_ => new LineageGraph
        {
            Direction = "down", Roots = { "table/GDP_Sales" }, Truncated = true, TruncatedBy = "max_depth",
            Nodes =
            {
                new LineageNode { Id = "table/GDP_Sales", Kind = "table", Name = "GDP_Sales" },
                new LineageNode { Id = "job/1", Kind = "job", Name = "north", KpiId = "T-NORTH", ContractVersion = "1.0.0", Run = new LineageRun { RunId = 7, BusinessDate = "2026-01-31" }, Cut = true },
                new LineageNode { Id = "job/2", Kind = "job", Name = "idle", KpiId = "T-IDLE", ContractVersion = "1.0.0" },
            },
            Edges =
            {
                new LineageEdge { From = "job/1", To = "table/GDP_Sales", Declared = true, Recorded = true, Version = "2026.02", RunId = 7, BusinessDate = "2026-01-31", RecordedAt = new() { Seconds = 1769990400 } },
                new LineageEdge { From = "job/2", To = "table/GDP_Sales", Declared = true },
            },
        });
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("lineage", "--table", "GDP_Sales", "--env", "prod", "--depth", "1", "--nodes", "7");

        var asked = server.Script.Last<GetLineageRequest>();
        Assert.Equal(("GDP_Sales", "prod", 1, 7, ""), (asked.Dataset, asked.Environment, asked.MaxDepth, asked.MaxNodes, asked.Direction));
        Assert.Equal("""
            table GDP_Sales
            ├── north T-NORTH@1.0.0  taken by run/7 of 2026-01-31 at 2026-02-02 00:00:00Z, version 2026.02  (cut)
            └── idle T-IDLE@1.0.0  no good run  DECLARED, NEVER RECORDED

            """, result.Out.ReplaceLineEndings("\n"));
        Assert.Contains("there is more behind what is marked (cut): --depth N", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_is_a_job_first_and_a_KPI_otherwise()
    {
        server.Script.When<GetLineageRequest>(request => request.JobId.Length > 0 ? throw new RpcException(new Status(StatusCode.NotFound, "no")) : Total());
        using var kpictl = new CommandLine(server);

        Assert.Equal(0, (await kpictl.Run("lineage", "T-TOTAL", "--down")).Exit);
        Assert.Equal(("T-TOTAL", "", "down"), (server.Script.Last<GetLineageRequest>().KpiId, server.Script.Last<GetLineageRequest>().JobId, server.Script.Last<GetLineageRequest>().Direction));
        Assert.Equal(0, (await kpictl.Run("lineage", "T-TOTAL@1.0.0")).Exit);
        Assert.Equal(("T-TOTAL", "1.0.0"), (server.Script.Last<GetLineageRequest>().KpiId, server.Script.Last<GetLineageRequest>().ContractVersion));

        server.Script.When<GetLineageRequest>(_ => throw new RpcException(new Status(StatusCode.NotFound, "no")));
        var absent = await kpictl.Run("lineage", "nothing");
        Assert.Equal(1, absent.Exit);
        Assert.Contains("there is no job and no KPI nothing", absent.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("lineage of what?")]
    [InlineData("one subject at a time", "total", "--run", "9")]
    [InlineData("two directions", "total", "--up", "--down")]
    [InlineData("names no run", "--run", "nine")]
    public async Task A_slip_on_the_command_line_is_told(string words, params string[] arguments)
    {
        using var kpictl = new CommandLine(server);
        var result = await kpictl.Run(["lineage", .. arguments]);
        Assert.Equal(2, result.Exit);
        Assert.Contains(words, result.Error, StringComparison.Ordinal);
    }

    private static LineageGraph Total() => new()
    {
        Direction = "up", Roots = { "run/9" },
        Nodes =
        {
            new LineageNode { Id = "run/9", Kind = "run", Name = "total", KpiId = "T-TOTAL", ContractVersion = "1.0.0", Run = new LineageRun { RunId = 9, Status = "success", BusinessDate = "2026-01-31", ContentHash = "sha256:0123456789abcdef", ValuesDigest = "sha256:fedcba9876543210" } },
            new LineageNode { Id = "run/7", Kind = "run", Name = "north", KpiId = "T-NORTH", ContractVersion = "1.0.0", Run = new LineageRun { RunId = 7, Status = "success", BusinessDate = "2026-01-31" } },
            new LineageNode { Id = "run/8", Kind = "run", Name = "south", KpiId = "T-SOUTH", ContractVersion = "1.0.0", Run = new LineageRun { RunId = 8, Status = "success", BusinessDate = "2026-01-31" } },
            new LineageNode { Id = "table/GDP_Sales", Kind = "table", Name = "GDP_Sales" },
            new LineageNode { Id = "signal/eod", Kind = "signal", Name = "eod" },
        },
        Edges =
        {
            new LineageEdge { From = "run/9", To = "run/7", Declared = true, Recorded = true, Version = "1.0.0", UpstreamRunId = 7, RunId = 9 },
            new LineageEdge { From = "run/9", To = "run/8", Declared = true, Recorded = true, Version = "1.0.0", UpstreamRunId = 8, RunId = 9 },
            new LineageEdge { From = "run/9", To = "signal/eod", Declared = true, RunId = 9 },
            new LineageEdge { From = "run/7", To = "table/GDP_Sales", Declared = true, Recorded = true, Read = true, ReadVersion = "rows:2", Version = "2026.02", RefreshId = 4, DataThrough = new() { Seconds = 1769990400 }, SourceRun = "load-2", RunId = 7 },
            new LineageEdge { From = "run/8", To = "table/GDP_Sales", Declared = true, Recorded = true, Version = "2026.01", RefreshId = 3, DataThrough = new() { Seconds = 1769904000 }, SourceRun = "load-1", RunId = 8 },
        },
    };
}
