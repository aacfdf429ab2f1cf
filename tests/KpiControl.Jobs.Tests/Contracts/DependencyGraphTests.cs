using CsCheck;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Jobs.Tests.Contracts;

public sealed class DependencyGraphTests
{
    private static KpiReference Kpi(int n) => new($"K{n}", "1.0.0");

    private static DependencyGraph Graph(IEnumerable<(int From, int To)> edges)
    {
        var graph = new DependencyGraph();
        foreach (var (from, to) in edges) graph.Add(Kpi(from), [Kpi(to)]);
        return graph;
    }

    [Fact]
    public void A_cycle_is_named_with_its_path() =>
        Assert.Equal("K1@1.0.0 → K2@1.0.0 → K3@1.0.0 → K1@1.0.0", string.Join(" → ", Graph([(1, 2), (2, 3), (3, 1), (2, 4)]).CycleThrough(Kpi(1))!));

    [Fact]
    public void A_job_that_waits_for_itself_is_refused()
    {
        var job = Samples.Job(Samples.Dso.Replace("signals: [erp_eod_sync]", "kpis: [{ kpi_id: K1, contract_version: 1.0.0 }]", StringComparison.Ordinal));
        var graph = Graph([(1, 2)]);
        graph.Add(Kpi(2), [new KpiReference(job.KpiId, job.ContractVersion)]);
        graph.Add(job);
        var finding = Assert.Single(graph.Check(job));
        Assert.Equal(("graph.cycle", "/dependencies/kpis"), (finding.Rule, finding.Path));
        Assert.Contains("CFO-EF-02@1.1.0 → K1@1.0.0 → K2@1.0.0 → CFO-EF-02@1.1.0", finding.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_job_is_not_blamed_for_a_cycle_that_another_job_of_its_kpi_closes()
    {
        var innocent = Samples.Job(Samples.Dso);
        var graph = Graph([(1, 2)]);
        var own = new KpiReference(innocent.KpiId, innocent.ContractVersion);
        graph.Add(own, [Kpi(1)]);
        graph.Add(Kpi(2), [own]);
        graph.Add(innocent);
        Assert.NotNull(graph.CycleThrough(own));
        Assert.Empty(graph.Check(innocent));
    }

    [Fact]
    public void A_kpi_that_no_file_computes_is_never_taken_for_the_jobs_own()
    {
        var job = Samples.Job(Samples.Dso.Replace("signals: [erp_eod_sync]", "kpis: [{ kpi_id: CFO-EF-01, contract_version: 1.1.0 }]", StringComparison.Ordinal));
        var finding = Assert.Single(NamedDependencies.CheckAmong(job, new HashSet<KpiReference> { new(job.KpiId, job.ContractVersion) }));
        Assert.DoesNotContain("Did you mean", finding.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void Another_version_is_another_kpi()
    {
        var graph = new DependencyGraph();
        graph.Add(new KpiReference("K", "2.0.0"), [new KpiReference("K", "1.0.0")]);
        Assert.Null(graph.CycleThrough(new KpiReference("K", "2.0.0")));
    }

    [Fact]
    public void A_long_chain_is_no_danger() =>
        Assert.Equal(100_001, Graph(Enumerable.Range(0, 100_000).Select(n => (n, (n + 1) % 100_000))).CycleThrough(Kpi(0))!.Count);

    [Fact]
    public void A_cycle_is_found_exactly_where_a_walk_returns() =>
        Gen.Select(Gen.Int[0, 7], Gen.Int[0, 7]).Array[0, 16].Sample(edges =>
        {
            var reachable = new HashSet<(int, int)>(edges);
            for (var grown = true; grown;)
                grown = reachable.UnionWithCount(from a in reachable.ToList() from b in edges where a.Item2 == b.Item1 select (a.Item1, b.Item2));
            var graph = Graph(edges);
            for (var n = 0; n < 8; n++)
            {
                var cycle = graph.CycleThrough(Kpi(n));
                if (cycle is not null != reachable.Contains((n, n))) return false;
                if (cycle is not null && !cycle.Zip(cycle.Skip(1)).All(step => edges.Any(e => Kpi(e.Item1) == step.First && Kpi(e.Item2) == step.Second))) return false;
            }
            return true;
        });
}

file static class Sets
{
    public static bool UnionWithCount<T>(this HashSet<T> set, IEnumerable<T> others)
    {
        var before = set.Count;
        set.UnionWith(others);
        return set.Count > before;
    }
}
