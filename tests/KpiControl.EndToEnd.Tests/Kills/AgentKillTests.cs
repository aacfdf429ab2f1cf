using System.Diagnostics;
using System.Globalization;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.EndToEnd.Tests.Kills;

/// <summary>A control plane and a warehouse whose tables stand, for one agent after the other.</summary>
public sealed class KillBed : IAsyncLifetime
{
    internal Cluster Cluster { get; private set; } = null!;

    internal Wire Wire { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Cluster = await Cluster.StartAsync(warehouse: true);
        Wire = new Wire((await Cluster.NodeAsync("one")).Url);
        await using var first = Cluster.Agent("agent-0", Wire.Url);
        await Cluster.BindSqlAsync("first");
        await Patience.UntilAsync("the warehouse has its tables", async () => await Cluster.FinishedAsync() == 1, first.Process);
    }

    public async ValueTask DisposeAsync()
    {
        await Wire.DisposeAsync();
        await Cluster.DisposeAsync();
    }
}

/// <summary>The shipped agent, killed at each step of an attempt, against the shipped control plane: it is one success in the end, and each value once.</summary>
public sealed class AgentKillTests(KillBed bed) : IClassFixture<KillBed>, IAsyncLifetime
{
    private static int agents;

    private readonly Cluster cluster = bed.Cluster;
    private readonly Wire wire = bed.Wire;
    private AgentUnderTest agent = null!;

    public async ValueTask InitializeAsync()
    {
        await using (var warehouse = await cluster.Warehouse!.OpenAsync())
        await using (var forget = new NpgsqlCommand("TRUNCATE kpi_values", warehouse))
            await forget.ExecuteNonQueryAsync();
        // A full disk is a limit on the size of its files here; the signal that comes with it is not the point.
        agent = cluster.Agent($"agent-{++agents}", wire.Url, under: "trap '' XFSZ; export DOTNET_EnableDiagnostics=0 DOTNET_EnableWriteXorExecute=0");
    }

    public ValueTask DisposeAsync() => agent.DisposeAsync();

    [Fact]
    public async Task Killed_with_a_lease_in_its_socket()
    {
        await cluster.BindSqlAsync("warm");
        await Patience.UntilAsync("it has credit to give", () => Task.FromResult(JournalFile.Recorded(agent.Outbox).Any()), agent.Process);
        agent.Process.Signal("STOP");
        var binding = await cluster.BindSqlAsync("received");
        await LeasedAsync(binding);
        await KillAndRestartAsync();
        await SucceedsAsync(binding);
    }

    [Theory, InlineData("gdp_receivables", "the call is sent"), InlineData("kpi_values", "the values are being written")]
    public async Task Killed_within_a_statement(string table, string job)
    {
        await using var held = await HeldTable.LockAsync(cluster.Warehouse!, table);
        var binding = await cluster.BindSqlAsync(job.Replace(' ', '_'));
        await held.SomebodyWaitsAsync(agent.Process);
        await agent.Process.KillAsync();
        await held.ReleaseAsync();
        agent.Start();
        await SucceedsAsync(binding);
    }

    [Fact]
    public async Task Killed_with_a_result_in_hand_that_is_not_on_disk()
    {
        await using var held = await HeldTable.LockAsync(cluster.Warehouse!, "gdp_receivables");
        var binding = await cluster.BindSqlAsync("in_hand");
        await held.SomebodyWaitsAsync(agent.Process);
        await FillDiskAsync();
        await held.ReleaseAsync();
        await Patience.UntilAsync("the disk takes no result", () => Task.FromResult(agent.Process.Output.Contains("no more leases are taken", StringComparison.Ordinal)), agent.Process);
        Assert.False(JournalFile.HasResult(agent.Outbox, await AttemptAsync(binding)));
        await KillAndRestartAsync();
        await SucceedsAsync(binding);
    }

    [Fact]
    public async Task Killed_with_a_result_on_disk_that_was_not_sent_it_reports_that_very_attempt()
    {
        await using var held = await HeldTable.LockAsync(cluster.Warehouse!, "gdp_receivables");
        var binding = await cluster.BindSqlAsync("journaled");
        await held.SomebodyWaitsAsync(agent.Process);
        wire.HoldToControl();
        await held.ReleaseAsync();
        var attempt = await JournaledAsync(binding);
        Assert.Equal(0L, await HistoryAsync(binding));
        await KillAndRestartAsync();
        await SucceedsAsync(binding, attempt);
    }

    [Fact]
    public async Task Killed_before_the_acknowledgement_it_reports_again_and_is_recorded_once()
    {
        await using var held = await HeldTable.LockAsync(cluster.Warehouse!, "gdp_receivables");
        var binding = await cluster.BindSqlAsync("sent");
        await held.SomebodyWaitsAsync(agent.Process);
        var attempt = await AttemptAsync(binding);
        wire.HoldToAgent();
        await held.ReleaseAsync();
        await Patience.UntilAsync("control has recorded it", async () => await HistoryAsync(binding) == 1, agent.Process);
        Assert.DoesNotContain(attempt, JournalFile.Recorded(agent.Outbox));
        await KillAndRestartAsync();
        await Patience.UntilAsync("the repeat is acknowledged", () => Task.FromResult(JournalFile.Recorded(agent.Outbox).Contains(attempt)), agent.Process);
        await SucceedsAsync(binding, attempt);
    }

    [Fact]
    public async Task Killed_after_the_acknowledgement_it_has_nothing_left_to_say()
    {
        var binding = await cluster.BindSqlAsync("acknowledged");
        await Patience.UntilAsync("it is acknowledged", () => Task.FromResult(JournalFile.Recorded(agent.Outbox).Any()), agent.Process);
        await KillAndRestartAsync();
        await Patience.UntilAsync("the outbox is open", () => Task.FromResult(agent.Process.Output.Contains("0 results wait", StringComparison.Ordinal)), agent.Process);
        await SucceedsAsync(binding);
    }

    private async Task KillAndRestartAsync()
    {
        await agent.Process.KillAsync();
        wire.Cut();
        await agent.RestartAsync();
    }

    private async Task SucceedsAsync(long binding, Guid? attempt = null)
    {
        await Patience.UntilAsync("it succeeds", async () => await HistoryAsync(binding) > 0, agent.Process);
        await cluster.SucceededOnceAsync(binding);
        if (attempt is { } expected)
            Assert.Equal(expected, await cluster.ScalarAsync<Guid>("SELECT attempt_id FROM kpi_job_history WHERE binding_id = $1", binding));
    }

    private async Task<Guid> JournaledAsync(long binding)
    {
        var attempt = await AttemptAsync(binding);
        await Patience.UntilAsync("the result is on disk", () => Task.FromResult(JournalFile.HasResult(agent.Outbox, attempt)), agent.Process);
        return attempt;
    }

    private Task LeasedAsync(long binding) => Patience.UntilAsync("the slot is leased",
        () => cluster.ScalarAsync<bool>("SELECT occ_state = 'L' FROM kpi_job_runtime WHERE binding_id = $1", binding), agent.Process);

    private Task<Guid> AttemptAsync(long binding) => cluster.ScalarAsync<Guid>("SELECT attempt_id FROM kpi_job_runtime WHERE binding_id = $1", binding);

    private Task<long> HistoryAsync(long binding) => cluster.ScalarAsync<long>("SELECT count(*) FROM kpi_job_history WHERE binding_id = $1 AND final", binding);

    private async Task FillDiskAsync()
    {
        var now = Directory.GetFiles(agent.Outbox, "journal-*.log").Max(file => new FileInfo(file).Length);
        using var limit = Process.Start("prlimit", [$"--pid={agent.Process.Id.ToString(CultureInfo.InvariantCulture)}", $"--fsize={now.ToString(CultureInfo.InvariantCulture)}"]);
        await limit.WaitForExitAsync();
        Assert.Equal(0, limit.ExitCode);
    }
}
