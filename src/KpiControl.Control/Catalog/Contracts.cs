using KpiControl.Control.Audit;
using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Catalog;

/// <summary>Contracts of KPIs and of the tables they are computed from: a version never changes, its status moves.</summary>
internal static class Contracts
{
    public static async Task<Contract> PutAsync(RequestTransaction tx, PutContractRequest request)
    {
        var tenant = RequestFields.TenantToChange(tx, request.Tenant, Verb.Publish);
        var format = RequestFields.Format(request.Format);
        var reading = CatalogReader.Read(RequestFields.Required("content", request.Content), format);
        FindingMapping.DemandNoErrors(reading.Findings);
        if (await Tenants.TenantStore.PlacementAsync(tx, tenant, "dev") is null)
            throw Reject.NotFound($"The tenant {tenant}");
        var inserted = await ContractStore.InsertAsync(tx, new ContractRow
        {
            TenantId = tenant, KpiId = reading.Name, Version = reading.Version, ContractId = reading.ContractId, Digest = reading.Digest!,
            Format = format.Word(), Content = request.Content, CanonicalJson = reading.CanonicalJson!, Status = reading.Status,
            CreatedBy = tx.Caller.Principal,
        });
        var row = await FindAsync(tx, tenant, reading.Name, reading.Version);
        if (row.Digest != reading.Digest)
            throw Reject.Exists("CONTRACT_IMMUTABLE",
                $"{row.KpiId}@{row.Version} exists with other content, and a version never changes: raise the version.", ("digest", row.Digest));
        if (inserted && row.ContractType != ContractKind.Kpi)
            await DemandWhereInForceAsync(tx, row);
        if (inserted)
            await AuditStore.AppendAsync(tx, Entry(tx, row, Verb.Publish, "") with { After = AuditEntry.Json(new { row.Digest, row.Status }) });
        var answer = row.ToProto(withContent: true);
        answer.Findings.AddRange(reading.Findings.Select(finding => finding.ToProto()));
        await ContractEffects.TellAsync(tx, row, answer);
        return answer;
    }

    public static async Task<Contract> MoveAsync(RequestTransaction tx, SetContractStatusRequest request)
    {
        var tenant = RequestFields.TenantToChange(tx, request.Tenant, Verb.Publish);
        var row = await FindAsync(tx, tenant, request.KpiId, request.Version);
        if (!ContractStatus.All.Contains(request.Status))
            throw Reject.Invalid("status", $"is none of {string.Join(", ", ContractStatus.All)}");
        if (row.Status == request.Status)
        {
            var same = row.ToProto(withContent: false);
            await ContractEffects.TellAsync(tx, row, same);
            return same;
        }
        await DemandWhereInForceAsync(tx, row);
        if (!ContractStatus.MayBecome(row.Status, request.Status) || !await ContractStore.MoveAsync(tx, row, row.Status, request.Status))
            throw Reject.Precondition("WRONG_STATUS", $"{row.KpiId}@{row.Version}", $"A contract that is {row.Status} cannot become {request.Status}.");
        await AuditStore.AppendAsync(tx, Entry(tx, row, Verb.Publish, request.Reason) with
        {
            Before = AuditEntry.Json(new { row.Status }), After = AuditEntry.Json(new { request.Status }),
        });
        // Slots under a contract that is not active any more are skipped, on every node from now on.
        await CursorStore.TellAsync(tx, "contracts");
        var moved = row with { Status = request.Status };
        var answer = moved.ToProto(withContent: false);
        await ContractEffects.TellAsync(tx, moved, answer);
        return answer;
    }

    public static async Task<ContractRow> FindAsync(RequestTransaction tx, string tenant, string kpiId, string version) =>
        await ContractStore.FindAsync(tx, tenant, kpiId, version) ?? throw Reject.NotFound($"The contract {kpiId}@{version}");

    // It has no environment of its own: whoever publishes in dev alone must not stop what runs in prod.
    private static async Task DemandWhereInForceAsync(RequestTransaction tx, ContractRow row)
    {
        foreach (var environment in await ContractStore.EnvironmentsAsync(tx, row))
            tx.Demand(Verb.Publish, row.TenantId, environment, $"The contract {row.KpiId}@{row.Version}");
    }

    private static AuditEntry Entry(RequestTransaction tx, ContractRow row, Verb verb, string reason) => new()
    {
        TenantId = row.TenantId, Actor = tx.Caller.Principal, Verb = verb.ToString(), ObjectKind = "contract",
        ObjectId = $"{row.KpiId}@{row.Version}", Reason = reason,
    };
}
