namespace KpiControl.EndToEnd.Tests.Kills;

/// <summary>The invariants that hold whatever was killed: asked of the database when all is over.</summary>
internal static class Ledger
{
    /// <summary>One binding ran its slot: one success, one row of evidence, each value at its first revision.</summary>
    public static async Task SucceededOnceAsync(this Cluster cluster, long binding)
    {
        Assert.Equal(["success"], await cluster.ScalarAsync<string[]>("SELECT array_agg(status) FROM kpi_job_history WHERE binding_id = $1 AND final", binding));
        Assert.Equal(0L, await cluster.ScalarAsync<long>("SELECT count(*) FROM kpi_job_history WHERE binding_id = $1 AND NOT final AND status <> 'lost'", binding));
        Assert.Equal(1L, await cluster.ScalarAsync<long>("SELECT count(*) FROM kpi_evidence WHERE binding_id = $1 AND kind = 'run'", binding));
        Assert.True(await cluster.ScalarAsync<bool>("SELECT occ_state IS NULL FROM kpi_job_runtime WHERE binding_id = $1", binding));
        var (values, revisions) = await cluster.ValuesAsync();
        Assert.Equal(71L, values); // three companies, 24 months, one of them missing
        Assert.Equal(1, revisions);
    }

    /// <summary>Every one of <paramref name="slots"/> bindings has its one disposition, and what an agent saw acknowledged is among them.</summary>
    public static async Task NothingIsLostOrDoubledAsync(this Cluster cluster, int slots, IEnumerable<AgentUnderTest> agents)
    {
        Assert.Equal(slots, await cluster.ScalarAsync<long>("SELECT count(*) FROM kpi_job_history WHERE final AND status = 'success'"));
        Assert.Equal(slots, await cluster.ScalarAsync<long>("SELECT count(DISTINCT binding_id) FROM kpi_job_history WHERE final"));
        Assert.Equal(0L, await cluster.ScalarAsync<long>("SELECT count(*) FROM kpi_job_history WHERE NOT final AND status <> 'lost'"));
        Assert.Equal(0L, await cluster.ScalarAsync<long>("SELECT count(*) FROM kpi_job_runtime WHERE occ_state IS NOT NULL"));
        Assert.Equal(slots, await cluster.ScalarAsync<long>("SELECT count(DISTINCT run_id) FROM kpi_evidence WHERE kind = 'run'"));
        Assert.Equal(slots, await cluster.ScalarAsync<long>("SELECT count(*) FROM kpi_evidence WHERE kind = 'run'"));
        Assert.Equal(slots, cluster.Service.Published.Count);

        var acknowledged = agents.SelectMany(a => JournalFile.Recorded(a.Outbox)).Distinct().ToArray();
        Assert.NotEmpty(acknowledged);
        var missing = await cluster.ScalarAsync<Guid[]>("""
            SELECT array_agg(a) FROM unnest($1) AS a
            WHERE (SELECT count(*) FROM kpi_job_history AS h WHERE h.attempt_id = a AND h.final AND h.status = 'success') <> 1
            """, acknowledged);
        Assert.Null(missing);
    }

    private static async Task<(long Values, int Revisions)> ValuesAsync(this Cluster cluster)
    {
        await using var connection = await cluster.Warehouse!.OpenAsync();
        await using var command = new Npgsql.NpgsqlCommand("SELECT count(*), max(revision) FROM kpi_values", connection);
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return (reader.GetInt64(0), reader.GetInt32(1));
    }
}
