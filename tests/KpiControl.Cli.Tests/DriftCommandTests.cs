using KpiControl.Cli.Tests.Support;
using KpiControl.Testing;

namespace KpiControl.Cli.Tests;

/// <summary>kpictl drift against a real control plane with a directory of artifacts.</summary>
public sealed class DriftCommandTests : IAsyncLifetime
{
    private readonly CommandLine kpictl = new();
    private readonly string files = Directory.CreateTempSubdirectory("kpi-drift-").FullName;
    private TestDatabase database = null!;
    private TestIssuer issuer = null!;
    private ControlHost host = null!;

    public async ValueTask InitializeAsync()
    {
        var token = TestContext.Current.CancellationToken;
        database = await PostgresFixture.CreateDatabaseAsync(token);
        issuer = await TestIssuer.StartAsync(token);
        host = await ControlHost.StartAsync(database, issuer, ("Drift:LookEvery", "00:00:00.05"), ("Drift:SyncEvery", "1.00:00:00"), ("Drift:Stores:files:Tenant", "acme"),
            ("Drift:Stores:files:Environment", "dev"), ("Drift:Stores:files:Kind", "directory"), ("Drift:Stores:files:Location", files));
        await host.PutContractAsync(SampleTexts.SimpleContract(), token);
        kpictl.With("KPI_GRPC", new Uri(host.GrpcUrl).Authority).With("KPI_TOKEN", issuer.Token());
    }

    public async ValueTask DisposeAsync()
    {
        await host.DisposeAsync();
        await issuer.DisposeAsync();
        await database.DisposeAsync();
        kpictl.Dispose();
        Directory.Delete(files, recursive: true);
    }

    [Fact]
    public async Task Drift_is_listed_shown_and_looked_for_at_once()
    {
        var file = Path.Combine(files, "daily.yaml");
        await File.WriteAllTextAsync(file, SampleTexts.Simple("daily"), TestContext.Current.CancellationToken);
        await Done("apply", "-f", file);

        Assert.Equal("files holds 1 artifacts, 1 of them read by the last pass", (await Done("drift", "sync", "files")).Trim());
        Assert.StartsWith("nothing to show", (await kpictl.Run("drift")).Error, StringComparison.Ordinal);
        Assert.Matches("(?m)^acme/dev/daily +in_sync +files +daily.yaml +([0-9a-f]{12}) +\\1 ", await Done("drift", "--state", "all"));

        await File.WriteAllTextAsync(file, SampleTexts.Simple("daily", "0 5 * * *"), TestContext.Current.CancellationToken);
        await Done("drift", "sync", "files");
        Assert.Equal("acme/dev/daily", (await Done("drift", "-o", "name")).Trim());
        var shown = await Done("drift", "show", "daily");
        Assert.Matches("(?m)^state +drifted *$", shown);
        Assert.Matches("(?m)^definition +sha256:[0-9a-f]{64} +differs ", shown);
        Assert.Matches("(?m)^/schedule/expression +\"\\*/15 \\* \\* \\* \\*\" +\"0 5 \\* \\* \\*\"", shown);
        Assert.Matches("(?m)^files +ok +acme/dev +directory ", await Done("drift", "stores"));

        Assert.Contains("which of the two is right?", (await kpictl.Run("reconcile", "daily")).Error, StringComparison.Ordinal);
        Assert.Equal("acme/dev/daily is rebound to what the store holds, and is r2 now (dry run)", (await Done("reconcile", "daily", "--promote", "--dry-run")).Trim());
        Assert.StartsWith("acme/dev/daily is to be written to files:daily.yaml", await Done("reconcile", "daily", "--roll-back", "--reason", "not agreed to"), StringComparison.Ordinal);
        await Done("drift", "sync", "files");
        Assert.Contains("*/15 * * * *", await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Matches("(?m)^written +stored .*, asked for by ", await Done("drift", "show", "daily"));

        Assert.Contains("would be asked for", await Done("drift", "sync", "files", "--dry-run"), StringComparison.Ordinal);
        Directory.Delete(files, recursive: true);
        var down = await kpictl.Run("drift", "sync", "files");
        Assert.Equal(1, down.Exit);
        Assert.Matches($"^files cannot be read since .*: the directory {files} is not there", down.Out);
        Assert.Matches("(?m)^acme/dev/daily +unreadable ", await Done("drift"));
        Directory.CreateDirectory(files);
        Assert.Contains("The store nobodys was not found", (await kpictl.Run("drift", "sync", "nobodys")).Error, StringComparison.Ordinal);
    }

    private async Task<string> Done(params string[] args)
    {
        var (exit, output, error) = await kpictl.Run(args) is var ran ? (ran.Exit, ran.Out, ran.Error) : default;
        Assert.True(exit == 0, $"{string.Join(' ', args)}: {exit} {error}");
        return output;
    }
}
