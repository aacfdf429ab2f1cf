using System.Collections.Concurrent;
using KpiControl.Control.Leases;

namespace KpiControl.Control.Provenance;

/// <summary>
/// Notes what runs took before they are recorded, so that a source can be asked for the jobs that ever took it. A note too
/// many, of a run that was not recorded after all, does no harm: whoever looks reads the evidence.
/// </summary>
internal sealed class SourceIndex(SourceIndexStore store)
{
    // Jobs take the same sources run after run: only the first, and one that takes others, costs a statement.
    private readonly ConcurrentDictionary<long, int> noted = [];

    public async ValueTask NoteAsync(IReadOnlyList<TakenSources> taken, CancellationToken token)
    {
        var news = taken.Where(t => t.Sources.Count > 0 && !(noted.TryGetValue(t.BindingId, out var before) && before == t.Fingerprint)).ToList();
        if (news.Count == 0)
            return;
        await store.NoteAsync(news, token);
        foreach (var one in news)
            noted[one.BindingId] = one.Fingerprint;
    }
}

/// <summary>What one run of a job took, by name.</summary>
internal sealed record TakenSources(long BindingId, string Tenant, IReadOnlyList<(string Type, string Name)> Sources)
{
    // As the table holds them: an HTTP service may answer anything.
    private const int MostSources = 1000, LongestName = 500;

    public int Fingerprint { get; } = Sources.Aggregate(new HashCode(), (hash, source) =>
    {
        hash.Add(source);
        return hash;
    }, hash => hash.ToHashCode());

    public static TakenSources Of(BindingPlan plan, Report report, RunFacts facts) => new(plan.BindingId, plan.Tenant,
    [
        .. facts.Inputs.Where(input => input.IsMet).Select(input => (input.Type, input.Name))
            .Concat((report.Finished.Lineage?.Sources ?? []).Select(source => (source.Type, Name: SourceName.Of(source.Type, source.Name, source.Version))))
            .Where(source => source.Type is "gdp" or "kpi" or "signal" && source.Name.Length is > 0 and <= LongestName && !source.Name.Contains('\0', StringComparison.Ordinal))
            .Distinct().Take(MostSources),
    ]);
}

/// <summary>How a source is named as a dependency.</summary>
internal static class SourceName
{
    public static string Of(string type, string name, string version) => type == "kpi" ? $"{name}@{version}" : name;
}
