using System.Globalization;
using Dapper;
using KpiControl.Control.Authoring;
using KpiControl.Control.Database;
using KpiControl.Control.Hosting;
using KpiControl.Control.Leases;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Runs;

/// <summary>What ran: lists of runs and one run with its evidence.</summary>
internal sealed class RunHistory(Databases databases)
{
    private static readonly Dictionary<string, FilterColumn> Columns = new()
    {
        ["status"] = new("h.status"), ["trigger_kind"] = new("h.trigger_kind"), ["business_date"] = new("h.business_date::text"),
        ["reason"] = new("h.reason"), ["final"] = new("h.final", IsBoolean: true),
    };

    public async Task<ListRunsResponse> ListAsync(Caller caller, ListRunsRequest request, CancellationToken token)
    {
        var paging = Paging.Of(request);
        await using var tx = await RequestTransaction.BeginAsync(databases, caller, token);
        var (parameters, filter) = Parameters(request, paging);
        IReadOnlyList<RunRow> rows;
        if (request.BindingId != 0 || request.JobId.Length > 0)
        {
            var binding = await BindingLookup.ResolveAsync(tx, new BindingKey(request.BindingId, request.Tenant, request.Environment, request.JobId), Verb.Read);
            parameters.Add("binding", binding.BindingId);
            rows = await RunStore.OfBindingAsync(tx, filter, parameters);
        }
        else
        {
            var scope = ReadScope.Of(caller, Verb.Read);
            parameters.AddDynamicParams(new { tenants = scope.Tenants, environments = scope.Environments, tenant = request.Tenant, environment = request.Environment });
            rows = await RunStore.OfAllAsync(tx, filter, parameters);
        }
        var response = new ListRunsResponse();
        response.Runs.AddRange(rows.Take(paging.Size).Select(r => r.ToProto()));
        if (rows.Count > paging.Size)
            response.NextPageToken = Paging.Token(request, Position(rows[paging.Size - 1]));
        return response;
    }

    public async Task<RunDetail> GetAsync(Caller caller, GetRunRequest request, CancellationToken token)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, caller, token);
        var (row, what) = await FindAsync(tx, request);
        if (row is null)
            throw Reject.NotFound(what);
        caller.Demand(Verb.Read, row.TenantId, row.Environment, what);
        var detail = new RunDetail { Run = row.ToProto() };
        if (await RunStore.EvidenceAsync(tx, row) is { } evidence)
            detail.Evidence = EvidenceReading.Read(evidence, withPoints: caller.May(Verb.Inspect, row.TenantId, row.Environment));
        var late = await RunStore.LateReportsAsync(tx, row.BindingId, row.Slot);
        if (late.Count > 0)
            (detail.Evidence ??= new RunEvidence()).StaleReports.AddRange(late.Select(EvidenceReading.ReadLate));
        return detail;
    }

    /// <summary>The row that a request names, where there is one, and what to call it.</summary>
    internal static async Task<(RunRow?, string What)> FindAsync(RequestTransaction tx, GetRunRequest request)
    {
        if (request.RunId != 0)
            return (await RunStore.FindAsync(tx, request.RunId), string.Create(CultureInfo.InvariantCulture, $"The run {request.RunId}"));
        if (request.AttemptId.Length == 0)
            throw Reject.Invalid("run_id", "is missing: name a run by run_id or by attempt_id");
        if (!Guid.TryParseExact(request.AttemptId, "D", out var attempt))
            throw Reject.Invalid("attempt_id", "is not a UUID");
        return (AttemptId.GrantedAt(attempt) is { } granted ? await RunStore.FindAsync(tx, attempt, granted) : null, $"The attempt {attempt}");
    }

    private static (DynamicParameters, string Filter) Parameters(ListRunsRequest request, Paging paging)
    {
        var parameters = new DynamicParameters();
        var position = paging.AfterParts('|', 2);
        parameters.Add("at", position is null ? null : Paging.Instant(position[0]), System.Data.DbType.DateTimeOffset);
        parameters.Add("run", position is null ? null : Paging.Number(position[1]), System.Data.DbType.Int64);
        parameters.Add("limit", paging.Size + 1);
        return (parameters, Filter.ToSql(request.Filter, Columns, parameters));
    }

    private static string Position(RunRow row) => string.Create(CultureInfo.InvariantCulture, $"{row.RecordedAt.UtcTicks}|{row.RunId}");
}
