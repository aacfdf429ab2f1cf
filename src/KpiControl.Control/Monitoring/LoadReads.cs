using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Database;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Runs;
using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Load;
using KpiControl.Protocol.V1;
using LoadMap = KpiControl.Jobs.Load.LoadMap;
using LoadAdvice = KpiControl.Jobs.Load.LoadAdvice;

namespace KpiControl.Control.Monitoring;

/// <summary>What the schedules of a caller's jobs will ask for, minute by minute.</summary>
internal sealed class LoadReads(Databases databases)
{
    private const int DefaultHours = 24, MostHours = 168, MostJobs = 50_000, MostShown = 10, MostNamed = 20;

    // A slot takes about a microsecond: this is where a call would begin to take longer than people wait.
    private const long MostSlots = 20_000_000;

    public async Task<Protocol.V1.LoadMap> MapAsync(Caller caller, GetLoadMapRequest request, CancellationToken token)
    {
        if (request.Hours is < 0 or > MostHours)
            throw Reject.Invalid("hours", $"is not between 1 and {MostHours}; leave it out for {DefaultHours}");
        if (request.Environment.Length > 0)
            RequestFields.Environment(request.Environment);
        var (rows, calendars, after) = await ReadAsync(caller, request, token);
        // No transaction is open while it is computed.
        var (schedules, minutes) = (new LoadSchedules(calendars), 60 * (request.Hours == 0 ? DefaultHours : request.Hours));
        var map = new Protocol.V1.LoadMap { From = LoadMap.BeginOf(after).ToTimestamp(), Until = LoadMap.BeginOf(after).AddMinutes(minutes).ToTimestamp() };
        var left = MostSlots;
        foreach (var place in rows.GroupBy(row => (row.TenantId, row.Environment, row.Region)))
        {
            var jobs = place.Select(schedules.Of).OfType<LoadJob>().ToList();
            var counted = LoadMap.Count(jobs, after, minutes, left, token)
                ?? throw Reject.TooLarge($"These jobs have more than {MostSlots:N0} slots in these hours; ask for one environment or region, or for fewer hours.");
            left -= counted.Looked;
            map.Places.Add(ToProto(place.Key, counted, token));
        }
        return map;
    }

    private async Task<(IReadOnlyList<LoadRow>, IReadOnlyList<LoadCalendarRow>, DateTimeOffset)> ReadAsync(Caller caller, GetLoadMapRequest request, CancellationToken token)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, caller, token);
        var rows = await LoadStore.JobsAsync(tx, ReadScope.Of(caller, Verb.Read), request.Tenant, request.Environment, request.Region, MostJobs + 1);
        if (rows.Count > MostJobs)
            throw Reject.TooLarge($"More than {MostJobs:N0} jobs are scheduled there; ask for one environment or region.");
        // From an instant on, and so with it; from now on, and so after it.
        var after = request.From?.ToDateTimeOffset().AddTicks(-1) ?? await RunStore.NowAsync(tx);
        return (rows, await LoadStore.CalendarsAsync(tx, request.Tenant), after);
    }

    private static LoadPlace ToProto((string Tenant, string Environment, string Region) at, LoadMap map, CancellationToken token)
    {
        var place = new LoadPlace
        {
            Tenant = at.Tenant, Environment = at.Environment, Region = at.Region, Jobs = map.Jobs.Count, PausedJobs = map.Jobs.Count(job => job.NotBefore >= map.At(map.PerMinute.Count)),
            Runs = map.Fires, MeanRuns = map.Mean, PeakRuns = map.Threshold, Minutes = { map.PerMinute },
        };
        foreach (var peak in map.Peaks(MostShown))
        {
            var jobs = map.JobsOf(peak);
            place.Peaks.Add(new LoadPeak { At = map.At(peak).ToTimestamp(), Runs = map.PerMinute[peak], Jobs = jobs.Count, JobIds = { jobs.Take(MostNamed).Select(job => job.Name) } });
        }
        place.Advice.AddRange(LoadAdvisor.Advise(map, MostShown, token).Select(advice => ToProto(advice, map)));
        return place;
    }

    private static Protocol.V1.LoadAdvice ToProto(LoadAdvice advice, LoadMap map) => new()
    {
        At = map.At(advice.Minute).ToTimestamp(), Runs = advice.Fires, Spread = Durations.Format(advice.Spread), Jobs = advice.Jobs.Count, JobIds = { advice.Jobs.Select(job => job.Name) },
        RunsAfter = advice.HighestAfter, HighestAt = map.At(advice.HighestMinute).ToTimestamp(), QuietAt = map.At(advice.QuietMinute).ToTimestamp(), QuietRuns = advice.QuietFires,
        Text = Words(advice, map),
    };

    private static string Words(LoadAdvice advice, LoadMap map)
    {
        var (peak, highest, quiet) = (Text(map.At(advice.Minute)), Text(map.At(advice.HighestMinute)), Text(map.At(advice.QuietMinute)));
        return string.Create(CultureInfo.InvariantCulture,
            $"{advice.Fires} runs are due in the minute {peak}. With spread: {Durations.Format(advice.Spread)} in the schedules of {advice.Jobs.Count} of their jobs the hour from there on has at most {advice.HighestAfter} in a minute ({highest}). A single job would move to {quiet}: the fewest of that hour, {advice.QuietFires}, are due there.");
    }

    private static string Text(DateTimeOffset minute) => minute.UtcDateTime.ToString("yyyy-MM-dd HH:mm'Z'", CultureInfo.InvariantCulture);
}
