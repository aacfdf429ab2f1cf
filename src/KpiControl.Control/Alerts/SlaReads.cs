using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Control.Sla;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Alerts;

/// <summary>Clocks and monthly figures, page by page.</summary>
internal sealed class SlaReads(IOptions<SlaOptions> options)
{
    // In no name: what a position's parts are told apart by.
    private const char Between = '|';

    public static async Task<ListSlaStatesResponse> StatesAsync(RequestTransaction tx, ListSlaStatesRequest request)
    {
        if (request.State is not ("" or "pass" or "warn" or "breach" or "off"))
            throw Reject.Invalid("state", "is none of pass, warn, breach and off");
        var paging = Paging.Of(request);
        var after = paging.AfterParts(Between, 2);
        var scope = ReadScope.Of(tx.Caller, Verb.Read);
        var rows = await SlaReadStore.StatesAsync(tx, new
        {
            tenants = scope.Tenants, environments = scope.Environments, tenant = request.Tenant, environment = request.Environment, binding = request.BindingId,
            state = request.State, after = after is null ? 0 : Paging.Number(after[0]), afterClock = after?[1] ?? "", limit = paging.Size + 1,
        });
        var response = new ListSlaStatesResponse();
        response.Clocks.AddRange(rows.Take(paging.Size).Select(ToProto));
        if (rows.Count > paging.Size)
            response.NextPageToken = Paging.Token(request, string.Create(CultureInfo.InvariantCulture, $"{rows[paging.Size - 1].BindingId}{Between}{rows[paging.Size - 1].Clock}"));
        return response;
    }

    public async Task<ReportSlaResponse> ReportAsync(RequestTransaction tx, ReportSlaRequest request)
    {
        var groupBy = request.GroupBy.Length == 0 ? "binding" : request.GroupBy;
        if (groupBy is not ("binding" or "tenant" or "criticality"))
            throw Reject.Invalid("group_by", "is none of binding, tenant and criticality");
        var from = await MonthAsync(tx, request.Month);
        var paging = Paging.Of(request);
        var after = paging.AfterParts(Between, 3);
        var scope = ReadScope.Of(tx.Caller, Verb.Read);
        var rows = await SlaReadStore.FiguresAsync(tx, new
        {
            tenants = scope.Tenants, environments = scope.Environments, tenant = request.Tenant, environment = request.Environment, from, to = from.AddMonths(1), groupBy,
            afterTenant = after?[0] ?? "", afterKey = after?[1] ?? "", afterClock = after?[2] ?? "", limit = paging.Size + 1,
        });
        var response = new ReportSlaResponse { Month = from.ToString("yyyy-MM", CultureInfo.InvariantCulture), Objective = options.Value.Objective };
        response.Figures.AddRange(rows.Take(paging.Size).Select(ToProto));
        if (rows.Count > paging.Size && rows[paging.Size - 1] is var last)
            response.NextPageToken = Paging.Token(request, string.Join(Between, last.TenantId, last.Key, last.Clock));
        return response;
    }

    private static async Task<DateTimeOffset> MonthAsync(RequestTransaction tx, string month)
    {
        if (month.Length == 0 && await CursorStore.NowAsync(tx) is var now)
            return new DateTimeOffset(now.Year, now.Month, 1, 0, 0, 0, TimeSpan.Zero);
        return DateTimeOffset.TryParseExact(month, "yyyy-MM", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var first) && first.Year is >= 1990 and < 2100
            ? first
            : throw Reject.Invalid("month", "is not a month like 2026-11");
    }

    private SlaFigure ToProto(SlaFigureRow row)
    {
        var budget = row.Whole * (100 - options.Value.Objective) / 100;
        return new SlaFigure
        {
            Tenant = row.TenantId, Key = row.Key, BindingId = row.BindingId, Clock = row.Clock, Unit = row.Clock == Jobs.Sla.SlaWords.Latency ? "runs" : "seconds",
            Total = row.Total, Missed = row.Missed, PercentMet = row.Total <= 0 ? 100 : 100 * (1 - (row.Missed / row.Total)), Budget = budget, BudgetLeft = budget - row.Missed, Breaches = row.Breaches,
        };
    }

    private static SlaClock ToProto(SlaStateRow row) => new()
    {
        BindingId = row.BindingId, Tenant = row.TenantId, Environment = row.Environment, JobId = row.JobId, Criticality = row.Criticality ?? "", Clock = row.Clock, State = row.State,
        WarnAt = row.WarnAt?.ToTimestamp(), BreachAt = row.BreachAt?.ToTimestamp(), GoodThrough = row.GoodThrough?.ToTimestamp(), EpisodeId = row.EpisodeId ?? 0,
    };
}
