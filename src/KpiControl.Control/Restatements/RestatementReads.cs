using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Changes;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Restatements;

/// <summary>Restatements as people read them.</summary>
internal static class RestatementReads
{
    private const int MostDates = 1000;

    public static async Task<ListRestatementsResponse> ListAsync(RequestTransaction tx, ListRestatementsRequest request)
    {
        var (paging, scope) = (Paging.Of(request), ReadScope.Of(tx.Caller, Verb.Read));
        if (request.State is not ("" or "open" or "accepted" or "closed" or "all"))
            throw Reject.Invalid("state", "is none of open, accepted, closed and all");
        var rows = await RestatementStore.ListAsync(tx, new
        {
            tenants = scope.Tenants, environments = scope.Environments, request.Tenant, request.Environment, binding = request.BindingId, refresh = request.RefreshId, request.State,
            after = paging.AfterNumber(), limit = paging.Size + 1,
        });
        var response = new ListRestatementsResponse();
        var page = rows.Take(paging.Size).ToList();
        var decisions = await RestatementStore.DecisionsAsync(tx, [.. page.Select(row => row.RestatementId)]);
        response.Restatements.AddRange(page.Select(row => row.ToProto([.. decisions[row.RestatementId]])));
        if (rows.Count > paging.Size)
            response.NextPageToken = Paging.Token(request, rows[paging.Size - 1].RestatementId.ToString(CultureInfo.InvariantCulture));
        return response;
    }

    public static async Task<Restatement> GetAsync(RequestTransaction tx, long id)
    {
        var row = await FindAsync(tx, id, Verb.Read);
        var restatement = row.ToProto([.. (await RestatementStore.DecisionsAsync(tx, id))[id]]);
        var dates = await RestatementStore.DatesAsync(tx, id, MostDates);
        var points = tx.Caller.May(Verb.Inspect, row.TenantId, row.Environment)
            ? (await RestatementStore.PointsAsync(tx, row.BindingId, [.. dates.Where(d => d.RestatedRunId is not null).SelectMany(d => new[] { d.ReportedRunId, d.RestatedRunId!.Value })])).ToDictionary(p => p.RunId)
            : [];
        restatement.Dates.AddRange(dates.Select(date => ToProto(date, points)));
        return restatement;
    }

    public static async Task<RestatementRow> FindAsync(RequestTransaction tx, long id, Verb verb)
    {
        if (id == 0)
            throw Reject.Invalid("restatement_id", "is missing");
        var what = string.Create(CultureInfo.InvariantCulture, $"The restatement {id}");
        var row = await RestatementStore.FindAsync(tx, id) ?? throw Reject.NotFound(what);
        tx.Demand(verb, row.TenantId, row.Environment, what);
        return row;
    }

    /// <summary>As it is now, without its dates.</summary>
    public static async Task<Restatement> AnswerAsync(RequestTransaction tx, long id) =>
        (await RestatementStore.FindAsync(tx, id))!.ToProto([.. (await RestatementStore.DecisionsAsync(tx, id))[id]]);

    private static Restatement ToProto(this RestatementRow row, IReadOnlyList<DecisionRow> decisions) => new()
    {
        RestatementId = row.RestatementId, BindingId = row.BindingId, Tenant = row.TenantId, Environment = row.Environment, Region = row.Region, JobId = row.JobId, KpiId = row.KpiId,
        ContractVersion = row.ContractVersion, State = row.State, Cause = Cause(row), FirstDate = Text(row.FirstDate), LastDate = Text(row.LastDate), Total = row.Total, Restated = row.Restated,
        OfferedAt = row.OfferedAt.ToTimestamp(), ExpiresAt = row.ExpiresAt.ToTimestamp(), AcceptedAt = row.AcceptedAt?.ToTimestamp(), AcceptedBy = row.AcceptedBy ?? "", Reason = row.Reason,
        Digest = row.Digest ?? "", ClosedAt = row.ClosedAt?.ToTimestamp(), ClosedBy = row.ClosedBy ?? "", CloseReason = row.CloseReason, SupersededBy = row.SupersededBy ?? 0, BackfillId = row.BackfillId ?? 0,
        Approvals = { row.Needs.Select(need => Approval(need, decisions)) },
    };

    private static RestatementCause Cause(RestatementRow row) => new()
    {
        Kind = row.Cause, Source = row.Source, RefreshId = row.RefreshId ?? 0, SourceRun = row.SourceRun ?? "", Version = row.Version ?? "", PublishedBy = row.PublishedBy ?? "",
        PublishedAt = row.PublishedAt?.ToTimestamp(), DataThrough = row.DataThrough?.ToTimestamp(), ChangedFrom = row.ChangedFrom?.ToTimestamp(), RestatementId = row.UpstreamId ?? 0,
    };

    private static RestatementApproval Approval(ApprovalNeed need, IReadOnlyList<DecisionRow> decisions)
    {
        var by = Approvals.GivenBy(need, decisions);
        return new RestatementApproval
        {
            Capacity = need.Capacity, Owner = need.Principal, GivenBy = by ?? "", GivenAt = by is null ? null : decisions.First(d => d.Principal == by).DecidedAt.ToTimestamp(),
        };
    }

    private static RestatedDate ToProto(RestatedDateRow date, IReadOnlyDictionary<long, PointsRow> points)
    {
        var proto = new RestatedDate { BusinessDate = Text(date.BusinessDate), ReportedRunId = date.ReportedRunId, RestatedRunId = date.RestatedRunId ?? 0, State = date.State };
        if (RestatedDifference.Between(points.GetValueOrDefault(date.ReportedRunId), points.GetValueOrDefault(proto.RestatedRunId)) is { } differences)
        {
            proto.Compared = true;
            proto.Differences.AddRange(differences);
        }
        return proto;
    }

    private static string Text(DateOnly date) => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
