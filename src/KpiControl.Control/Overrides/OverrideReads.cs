using System.Globalization;
using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Overrides;

/// <summary>Overrides as people read them.</summary>
internal static class OverrideReads
{
    private const char Separator = '|';

    private static readonly JsonSerializerOptions Words = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static async Task<ListOverridesResponse> ListAsync(RequestTransaction tx, ListOverridesRequest request)
    {
        var paging = Paging.Of(request);
        if (request.Tenant.Length > 0)
            RequestFields.Tenant(tx.Caller, request.Tenant, Verb.List);
        if (request.Environment.Length > 0)
            RequestFields.Environment(request.Environment);
        if (request.Kind.Length > 0)
            Overrides.DemandKind(request.Kind, isSet: false);
        var (scope, after) = (ReadScope.Of(tx.Caller, Verb.List), paging.AfterParts(Separator, 3));
        var rows = await OverrideStore.PageAsync(tx, new
        {
            tenants = scope.Tenants, environments = scope.Environments, tenant = request.Tenant, environment = request.Environment, binding = request.BindingId, kind = request.Kind,
            ended = request.IncludeEnded, before = after is null ? (DateTimeOffset?)null : Paging.Instant(after[0]), beforeBinding = after is null ? 0 : Paging.Number(after[1]),
            beforeKind = after?[2] ?? "", limit = paging.Size + 1,
        });
        var response = new ListOverridesResponse();
        response.Overrides.AddRange(rows.Take(paging.Size).Select(row => row.ToProto()));
        if (rows.Count > paging.Size && rows[paging.Size - 1] is var last)
            response.NextPageToken = Paging.Token(request, string.Create(CultureInfo.InvariantCulture, $"{last.CreatedAt.UtcTicks}{Separator}{last.BindingId}{Separator}{last.Kind}"));
        return response;
    }

    /// <summary>A job as it is under what stands over it.</summary>
    public static void Lay(Job job, IEnumerable<OverrideRow> standing)
    {
        foreach (var row in standing)
        {
            job.Overrides.Add(row.ToProto());
            if (row.Kind == OverrideKind.Schedule)
                (job.ScheduleCron, job.ScheduleOverridden) = (row.Value, true);
        }
    }

    /// <summary>As a statement made them.</summary>
    public static IReadOnlyList<OverrideRow> Rows(string? json) => json is null ? [] : JsonSerializer.Deserialize<OverrideRow[]>(json, Words)!;

    public static Override ToProto(this OverrideRow row) => new()
    {
        OverrideId = row.OverrideId, BindingId = row.BindingId, Tenant = row.TenantId, Environment = row.Environment, JobId = row.JobId, Kind = row.Kind, Value = row.Value,
        Reason = row.Reason, CreatedBy = row.CreatedBy, CreatedAt = row.CreatedAt.ToTimestamp(), ExpiresAt = row.ExpiresAt?.ToTimestamp(),
        EndedAt = row.EndedAt?.ToTimestamp(), EndedBy = row.EndedBy ?? "", Ending = row.Ending ?? "", EndReason = row.EndReason ?? "",
    };
}
