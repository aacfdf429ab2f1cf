using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Database;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Runs;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Monitoring;

/// <summary>What jobs do now, and what became of what ended.</summary>
internal sealed class OverviewReads(Databases databases)
{
    private const int DefaultHours = 1, MostHours = 744, MostErrors = 10;

    public async Task<Overview> ReadAsync(Caller caller, GetOverviewRequest request, CancellationToken token)
    {
        if (request.Hours is < 0 or > MostHours)
            throw Reject.Invalid("hours", $"is not between 1 and {MostHours}; leave it out for {DefaultHours}");
        if (request.Environment.Length > 0)
            RequestFields.Environment(request.Environment);
        await using var tx = await RequestTransaction.BeginAsync(databases, caller, token);
        var now = await RunStore.NowAsync(tx);
        var scope = new OverviewScope(ReadScope.Of(caller, Verb.Read), request.Tenant, request.Environment, request.Region, now.AddHours(-(request.Hours == 0 ? DefaultHours : request.Hours)));
        var ended = (await OverviewStore.EndedAsync(tx, scope)).ToDictionary(place => (place.TenantId, place.Environment, place.Region));
        var errors = (await OverviewStore.ErrorsAsync(tx, scope)).ToLookup(error => (error.TenantId, error.Environment, error.Region));
        var overview = new Overview { At = now.ToTimestamp(), Since = scope.Since.ToTimestamp() };
        foreach (var place in await OverviewStore.NowAsync(tx, scope))
        {
            var key = (place.TenantId, place.Environment, place.Region);
            overview.Places.Add(ToProto(place, ended.GetValueOrDefault(key) ?? new PlaceEnded(), errors[key]));
        }
        return overview;
    }

    private static OverviewPlace ToProto(PlaceNow now, PlaceEnded ended, IEnumerable<PlaceError> errors)
    {
        var place = new OverviewPlace
        {
            Tenant = now.TenantId, Environment = now.Environment, Region = now.Region, Jobs = now.Jobs, Inactive = now.Inactive, Paused = now.Paused, Due = now.Due,
            Waiting = now.Waiting, Ready = now.Ready, Leased = now.Leased, Queued = now.Queued, OldestDueAt = now.OldestDueAt?.ToTimestamp(), SlaWarn = now.SlaWarn, SlaBreach = now.SlaBreach,
            Succeeded = ended.Succeeded, Failed = ended.Failed, Suppressed = ended.Suppressed, Cancelled = ended.Cancelled, Skipped = ended.Skipped, Attempts = ended.Attempts, Lost = ended.Lost,
            StartDelayP95 = ended.StartDelayP95?.ToDuration(), TookP95 = ended.TookP95?.ToDuration(),
        };
        if (ended.Succeeded + ended.Failed + ended.Suppressed is > 0 and var ran)
            place.PercentSucceeded = 100.0 * ended.Succeeded / ran;
        if (ended.Started > 0)
            place.PercentWithin5Minutes = 100.0 * ended.StartedInTime / ended.Started;
        place.Errors.AddRange(errors.Take(MostErrors).Select(ToProto));
        return place;
    }

    private static OverviewError ToProto(PlaceError error) =>
        new() { ErrorCategory = error.ErrorCategory, ErrorCode = error.ErrorCode, Attempts = error.Attempts, Jobs = error.Jobs, LastAt = error.LastAt.ToTimestamp() };
}
