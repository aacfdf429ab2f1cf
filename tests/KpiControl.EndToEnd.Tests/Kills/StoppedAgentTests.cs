namespace KpiControl.EndToEnd.Tests.Kills;

/// <summary>An agent that stands still past its TTL: its work goes to another, and what it says on waking changes nothing.</summary>
public sealed class StoppedAgentTests : IAsyncLifetime
{
    private Cluster cluster = null!;
    private ControlNode node = null!;
    private Wire wire = null!;
    private AgentUnderTest stopped = null!;

    public async ValueTask InitializeAsync()
    {
        cluster = await Cluster.StartAsync(warehouse: true);
        // Long enough for a busy machine to run a warm attempt well within it.
        node = await cluster.NodeAsync("one", ttl: TimeSpan.FromSeconds(6));
        wire = new Wire(node.Url);
        stopped = cluster.Agent("agent-1", wire.Url);
        await cluster.BindSqlAsync("warm");
        await Patience.UntilAsync("the agent is warm", async () => await cluster.FinishedAsync() == 1, stopped.Process);
    }

    public async ValueTask DisposeAsync()
    {
        await wire.DisposeAsync();
        await cluster.DisposeAsync();
    }

    [Fact]
    public async Task Stopped_with_a_result_in_hand_it_reports_it_late_and_is_told_that_it_is_stale()
    {
        await using var held = await HeldTable.LockAsync(cluster.Warehouse!, "gdp_receivables");
        var binding = await cluster.BindSqlAsync("late_result");
        await held.SomebodyWaitsAsync(stopped.Process);
        var attempt = await cluster.ScalarAsync<Guid>("SELECT attempt_id FROM kpi_job_runtime WHERE binding_id = $1", binding);
        wire.HoldToControl();
        await held.ReleaseAsync();
        await Patience.UntilAsync("the result is on disk", () => Task.FromResult(JournalFile.HasResult(stopped.Outbox, attempt)), stopped.Process);
        stopped.Process.Signal("STOP");

        await AnotherSucceedsAsync(binding, attempt);
        wire.Cut();
        stopped.Process.Signal("CONT");
        await Patience.UntilAsync("the late result is kept as evidence",
            () => cluster.ScalarAsync<bool>("SELECT count(*) = 1 FROM kpi_evidence WHERE attempt_id = $1 AND kind = 'stale_fence'", attempt), stopped.Process);
        await Patience.UntilAsync("the agent is told so", () => Task.FromResult(stopped.Process.Output.Contains("changed nothing: Stale", StringComparison.Ordinal)), stopped.Process);
        await cluster.SucceededOnceAsync(binding);
    }

    [Fact]
    public async Task Stopped_within_a_statement_it_drops_the_attempt_on_waking_and_goes_on()
    {
        await using var held = await HeldTable.LockAsync(cluster.Warehouse!, "gdp_receivables");
        var binding = await cluster.BindSqlAsync("late_statement");
        await held.SomebodyWaitsAsync(stopped.Process);
        var attempt = await cluster.ScalarAsync<Guid>("SELECT attempt_id FROM kpi_job_runtime WHERE binding_id = $1", binding);
        stopped.Process.Signal("STOP");
        await held.ReleaseAsync();

        var other = await AnotherSucceedsAsync(binding, attempt);
        await other.DisposeAsync();
        stopped.Process.Signal("CONT");
        var next = await cluster.BindSqlAsync("next");
        await Patience.UntilAsync("it serves again", () => cluster.ScalarAsync<bool>("SELECT count(*) = 1 FROM kpi_job_history WHERE binding_id = $1 AND final", next), stopped.Process);
        await cluster.SucceededOnceAsync(binding);
    }

    private async Task<AgentUnderTest> AnotherSucceedsAsync(long binding, Guid overtaken)
    {
        var other = cluster.Agent("agent-2", node.Url);
        await Patience.UntilAsync("another agent has it", () => cluster.ScalarAsync<bool>(
            "SELECT count(*) = 1 FROM kpi_job_history WHERE binding_id = $1 AND final AND status = 'success' AND attempt_id <> $2", binding, overtaken), other.Process);
        return other;
    }
}
