using System.Text;
using Google.Rpc;
using Grpc.Core;
using KpiControl.Cli.Tests.Support;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Tests;

public sealed class ConnectionTests(ScriptedControlPlane server) : IClassFixture<ScriptedControlPlane>
{
    private const string Context = """
        current_context: here
        contexts:
          here: { server: "SERVER", token: "env:MY_TOKEN", tenant: globex, environment: stg }
        """;

    private CommandLine WithContext(string? serverAddress = null)
    {
        var kpictl = new CommandLine().With("MY_TOKEN", "token-of-the-context");
        kpictl.File(".config/kpictl/config.yaml", Context.Replace("SERVER", serverAddress ?? server.Address, StringComparison.Ordinal));
        return kpictl;
    }

    [Fact]
    public async Task A_context_gives_server_token_tenant_and_environment_and_every_call_has_a_deadline()
    {
        server.Script.When<GetJobRequest>(_ => Wire.Job());
        using var kpictl = WithContext();

        var result = await kpictl.Run("get", "dso_daily", "--timeout", "1m");

        Assert.Equal((0, ""), (result.Exit, result.Error));
        Assert.Equal("Bearer token-of-the-context", server.Script.Authorization);
        Assert.Equal(("globex", "stg"), (server.Script.Last<GetJobRequest>().Tenant, server.Script.Last<GetJobRequest>().Environment));
        Assert.InRange(server.Script.Deadline - TimeProvider.System.GetUtcNow().UtcDateTime, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(61));
    }

    [Fact]
    public async Task Variables_beat_the_context_and_flags_beat_both()
    {
        server.Script.When<GetJobRequest>(_ => Wire.Job());
        using var kpictl = WithContext("https://unreachable.invalid:1")
            .With("KPICTL_SERVER", server.Address).With("KPICTL_TOKEN", "of-the-variable").With("KPICTL_TENANT", "acme").With("KPICTL_ENV", "prod");

        await kpictl.Run("get", "dso_daily", "--env", "dev");

        Assert.Equal("Bearer of-the-variable", server.Script.Authorization);
        Assert.Equal(("acme", "dev"), (server.Script.Last<GetJobRequest>().Tenant, server.Script.Last<GetJobRequest>().Environment));
    }

    [Fact]
    public async Task A_contexts_token_does_not_go_to_another_server()
    {
        using var kpictl = WithContext("https://control.example:443");

        var result = await kpictl.Run("get", "dso_daily", "--server", server.Address);

        Assert.Equal(4, result.Exit);
        Assert.Contains("no token for", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_dev_env_exports_is_enough_and_the_tokens_only_tenant_is_the_tenant()
    {
        server.Script.When<GetJobRequest>(_ => Wire.Job());
        using var kpictl = new CommandLine().With("KPI_GRPC", server.Address["http://".Length..])
            .With("KPI_TOKEN", Jwt("""{"exp":4102444800,"kpi_roles":["acme/dev/admin","acme/stg/viewer"]}"""));

        var result = await kpictl.Run("get", "dso_daily");

        Assert.Equal((0, ""), (result.Exit, result.Error));
        Assert.Equal("acme", server.Script.Last<GetJobRequest>().Tenant);
    }

    [Theory]
    [InlineData("http://control.example:80", "plain http and not on this machine")]
    [InlineData("ftp://127.0.0.1", "is not an address")]
    [InlineData("http://user:secret@127.0.0.1:1", "is not an address")]
    public async Task A_server_that_would_leak_the_token_is_refused(string address, string why)
    {
        using var kpictl = new CommandLine().With("KPICTL_TOKEN", "t");

        var result = await kpictl.Run("get", "--server", address);

        Assert.Equal(2, result.Exit);
        Assert.Contains(why, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unreachable_server_is_named_with_what_to_look_at()
    {
        using var kpictl = new CommandLine().With("KPICTL_SERVER", "http://127.0.0.1:1").With("KPICTL_TOKEN", "t");

        var result = await kpictl.Run("get");

        Assert.Equal(1, result.Exit);
        Assert.StartsWith("error: cannot reach the control plane at http://127.0.0.1:1: ", result.Error, StringComparison.Ordinal);
        Assert.Contains("is KPICTL_SERVER right?", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_token_and_an_expired_token_are_exit_4_and_say_how_to_mend_it()
    {
        server.Script.When<ListJobsRequest>(_ => throw Failures.Of(StatusCode.Unauthenticated, "UNAUTHENTICATED", "The bearer token was not accepted."));
        using var kpictl = new CommandLine().With("KPI_GRPC", server.Address);

        var none = await kpictl.Run("get");
        var expired = await kpictl.With("KPI_TOKEN", Jwt("""{"exp":1600000000}""")).Run("get");

        Assert.Equal((4, 4), (none.Exit, expired.Exit));
        Assert.Contains("eval \"$(./dev env)\"", none.Error, StringComparison.Ordinal);
        Assert.Contains("the token (KPI_TOKEN) expired", expired.Error, StringComparison.Ordinal);
        Assert.Contains("next: renew it: eval \"$(./dev env)\"", expired.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Field_violations_are_listed_all_of_them()
    {
        server.Script.When<ListJobsRequest>(_ => throw Failures.Of(StatusCode.InvalidArgument, "INVALID_ARGUMENT", "summary", new BadRequest
        {
            FieldViolations =
            {
                new BadRequest.Types.FieldViolation { Field = "filter", Description = "'colour' is not a field" },
                new BadRequest.Types.FieldViolation { Field = "page_size", Description = "is negative" },
            },
        }));
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("get", "--filter", "colour=red");

        Assert.Equal(1, result.Exit);
        Assert.Contains("  filter: 'colour' is not a field\n  page_size: is negative\n", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_configuration_that_others_can_read_is_refused()
    {
        using var kpictl = WithContext();
        if (OperatingSystem.IsWindows())
            return;
        File.SetUnixFileMode(kpictl.ConfigFile, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);

        var result = await kpictl.Run("get");

        Assert.Equal(2, result.Exit);
        Assert.Contains($"next: chmod 600 {kpictl.ConfigFile}", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_written_into_the_configuration_is_refused_without_being_shown()
    {
        using var kpictl = new CommandLine();
        kpictl.File(".config/kpictl/config.yaml", $"current_context: a\ncontexts:\n  a: {{ server: '{server.Address}', token: eyJhbGciOi }}\n");

        var result = await kpictl.Run("get");

        Assert.Equal(2, result.Exit);
        Assert.Contains("must be a reference", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("eyJhbGciOi", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gett")]
    [InlineData("get", "--colour")]
    [InlineData("get", "-o", "xml")]
    [InlineData("history")]
    [InlineData("trigger", "j", "--business-date", "tomorrow")]
    [InlineData("pause", "j", "--until", "soon")]
    public async Task Misuse_is_exit_2_with_nothing_on_standard_output(params string[] args)
    {
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run(args);

        Assert.Equal((2, ""), (result.Exit, result.Out));
        Assert.StartsWith("error: ", result.Error, StringComparison.Ordinal);
        Assert.Contains("  next: ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Version_prints_both_sides_and_an_unreachable_server_is_no_failure()
    {
        using var kpictl = new CommandLine(server);

        var both = await kpictl.Run("version");
        var alone = await kpictl.With("KPICTL_SERVER", "http://127.0.0.1:1").Run("version");

        Assert.Matches(@"^kpictl 0\.\d+\.\d+[^\n]*\nserver 9\.9\.9\n$", both.Out);
        Assert.Equal(0, alone.Exit);
        Assert.Contains("server: not reached at 127.0.0.1:1", alone.Error, StringComparison.Ordinal);
    }

    private static string Jwt(string claims) => $"{Base64("{}")}.{Base64(claims)}.c2ln";

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text)).TrimEnd('=').Replace('+', '-').Replace('/', '_');
}
