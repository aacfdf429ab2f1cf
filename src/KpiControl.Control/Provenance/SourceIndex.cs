using System.Collections.Concurrent;
using KpiControl.Control.Database;
using KpiControl.Control.Leases;

namespace KpiControl.Control.Provenance;

/// <summary>
/// Notes what runs took before they are recorded, so that a source can be asked for the jobs that ever took it. A note too
/// many, of a run that was not recorded after all, does no harm: whoever looks reads the evidence.
/// </summary>
internal sealed partial class SourceIndex(SourceIndexStore store, ILogger<SourceIndex> logger)
{
    private const int MostNoted = 200_000;

    // Jobs take the same sources run after run: only the first, and one that takes others, costs a statement.
    private readonly ConcurrentDictionary<long, int> noted = [];

    public async ValueTask NoteAsync(IReadOnlyList<TakenSources> taken, CancellationToken token)
    {
        var news = taken.Where(t => t.Sources.Count > 0 && !(noted.TryGetValue(t.BindingId, out var before) && before == t.Fingerprint)).ToList();
        if (news.Count == 0)
            return;
        if (!await TryAsync(news, token) && news.Count > 1)
            foreach (var one in news)
                await TryAsync([one], token);
    }

    // Results are not refused for a place to look that could not be written; the job's next run notes it. In an outage
    // nothing is recorded, and all of it is tried again.
    private async Task<bool> TryAsync(IReadOnlyList<TakenSources> news, CancellationToken token)
    {
        try
        {
            await store.NoteAsync(news, token);
        }
        catch (Exception error) when (error is not OperationCanceledException && !SqlStates.IsOutage(error))
        {
            Log.NotNoted(logger, news.Count, news[0].BindingId, error);
            return false;
        }
        // Those of jobs that are gone go with all others, which cost a statement once more.
        if (noted.Count + news.Count > MostNoted)
            noted.Clear();
        foreach (var one in news)
            noted[one.BindingId] = one.Fingerprint;
        return true;
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 390, Level = LogLevel.Error, Message = "What {Count} runs took, of binding {Binding} first, could not be noted for lineage; they are recorded all the same")]
        public static partial void NotNoted(ILogger logger, int count, long binding, Exception error);
    }
}

/// <summary>What one run of a job took, by name.</summary>
/// <param name="Sources">In one order, whatever the order of the report.</param>
internal sealed record TakenSources(long BindingId, string Tenant, IReadOnlyList<(string Type, string Name)> Sources)
{
    // As the table holds them: an HTTP service may answer anything.
    private const int MostSources = 1000, LongestName = 500;

    public int Fingerprint { get; } = Sources.Aggregate(new HashCode(), (hash, source) =>
    {
        hash.Add(source);
        return hash;
    }, hash => hash.ToHashCode());

    // What control saw comes first where there are too many.
    public static TakenSources Of(BindingPlan plan, Report report, RunFacts facts) => new(plan.BindingId, plan.Tenant, InOrder(
        facts.Inputs.Where(input => input.IsMet).Select(input => (input.Type, input.Name))
            .Concat(InOrder((report.Finished.Lineage?.Sources ?? []).Select(source => (source.Type, Name: SourceName.Of(source.Type, source.Name, source.Version)))))
            .Where(source => source.Type is "gdp" or "kpi" or "signal" && source.Name.Length is > 0 and <= LongestName && !source.Name.Contains('\0', StringComparison.Ordinal))
            .Distinct().Take(MostSources)));

    private static IReadOnlyList<(string Type, string Name)> InOrder(IEnumerable<(string Type, string Name)> sources) =>
        [.. sources.OrderBy(source => source.Type, StringComparer.Ordinal).ThenBy(source => source.Name, StringComparer.Ordinal)];
}

/// <summary>How a source is named as a dependency.</summary>
internal static class SourceName
{
    public static string Of(string type, string name, string version) => type == "kpi" ? $"{name}@{version}" : name;
}
