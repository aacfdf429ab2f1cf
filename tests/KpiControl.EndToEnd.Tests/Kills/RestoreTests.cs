using KpiControl.Testing;

namespace KpiControl.EndToEnd.Tests.Kills;

/// <summary>A backup put in the database's place while the shipped processes run: what it lost, the agent still has.</summary>
public sealed class RestoreTests
{
    [Fact]
    public async Task A_result_that_a_restore_lost_is_offered_again_once_the_epoch_is_bumped_and_recorded_once()
    {
        await using var cluster = await Cluster.StartAsync(warehouse: true);
        var node = await cluster.NodeAsync("one");
        var agent = cluster.Agent("agent-1", node.Url);
        await cluster.BindSqlAsync("first");
        await Patience.UntilAsync("the warehouse has its tables", async () => await cluster.FinishedAsync() == 1, node.Process, agent.Process);
        await cluster.ForgetValuesAsync();
        DatabaseBackup backup;
        Guid attempt;
        long binding;
        await using (var held = await HeldTable.LockAsync(cluster.Warehouse!, "gdp_receivables"))
        {
            binding = await cluster.BindSqlAsync("lost");
            await held.SomebodyWaitsAsync(agent.Process);
            attempt = await cluster.ScalarAsync<Guid>("SELECT attempt_id FROM kpi_job_runtime WHERE binding_id = $1", binding);
            backup = await DatabaseBackup.TakeAsync(cluster.Database);
            await held.ReleaseAsync();
        }
        await Patience.UntilAsync("it is acknowledged", () => Task.FromResult(JournalFile.Recorded(agent.Outbox).Contains(attempt)), node.Process, agent.Process);

        await backup.PutBackAsync();
        Assert.Equal(0L, await HistoryAsync(cluster, binding));
        // Nobody is to run it a second time while the agent offers it again: whoever restores pauses first.
        await cluster.ScalarAsync<object>("UPDATE kpi_job_runtime SET paused_until = 'infinity', lane = -lane WHERE binding_id = $1", binding);
        await cluster.BumpEpochAsync(node);

        await Patience.UntilAsync("it is recorded again", async () => await HistoryAsync(cluster, binding) == 1, node.Process, agent.Process);
        Assert.Contains("The cluster epoch was 1 and is 2", agent.Process.Output, StringComparison.Ordinal);
        await cluster.SucceededOnceAsync(binding);
        Assert.Equal(attempt, await cluster.ScalarAsync<Guid>("SELECT attempt_id FROM kpi_job_history WHERE binding_id = $1", binding));
    }

    private static Task<long> HistoryAsync(Cluster cluster, long binding) => cluster.ScalarAsync<long>("SELECT count(*) FROM kpi_job_history WHERE binding_id = $1", binding);
}
