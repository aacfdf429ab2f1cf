using System.Globalization;
using Grpc.Core;
using KpiControl.Control.Database;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Tenants;

internal sealed class TenantService(Databases databases, Mutations mutations) : Protocol.V1.TenantService.TenantServiceBase
{
    public override Task<Tenant> CreateTenant(CreateTenantRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Placements.CreateAsync(tx, request), context.CancellationToken);

    public override Task<Tenant> UpdateTenant(UpdateTenantRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Placements.UpdateAsync(tx, request), context.CancellationToken);

    public override async Task<Tenant> GetTenant(GetTenantRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return (await Placements.FindAsync(tx, RequestFields.Tenant(tx.Caller, request.Tenant, Verb.List))).ToProto();
    }

    public override async Task<ListTenantsResponse> ListTenants(ListTenantsRequest request, ServerCallContext context)
    {
        var paging = Paging.Of(request);
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var rows = await PlacementRowStore.ListAsync(tx, paging.After, paging.Size + 1);
        var response = new ListTenantsResponse { Tenants = { rows.Take(paging.Size).Select(row => row.ToProto()) } };
        if (rows.Count > paging.Size)
            response.NextPageToken = Paging.Token(request, rows[paging.Size - 1].TenantId);
        return response;
    }

    public override async Task<TenantPolicy> GetPolicy(GetPolicyRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var tenant = RequestFields.Tenant(tx.Caller, request.Tenant, Verb.PolicyRead);
        tx.Demand(Verb.PolicyRead, tenant, RequestFields.Environment(RequestFields.Required("environment", request.Environment)), $"The tenant {tenant}");
        return (await Policies.FindAsync(tx, tenant, request.Environment, request.Version)).ToProto();
    }

    public override async Task<ListPoliciesResponse> ListPolicies(ListPoliciesRequest request, ServerCallContext context)
    {
        var paging = Paging.Of(request);
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var tenant = RequestFields.Tenant(tx.Caller, request.Tenant, Verb.PolicyRead);
        var after = paging.AfterParts('\n', 2);
        var rows = await PolicyStore.ListAsync(tx, ReadScope.Of(tx.Caller, Verb.PolicyRead), tenant, request.Environment.Length == 0 ? "" : RequestFields.Environment(request.Environment), after?[0], after is null ? null : (int)Paging.Number(after[1]), paging.Size + 1);
        var response = new ListPoliciesResponse { Policies = { rows.Take(paging.Size).Select(row => row.ToProto()) } };
        if (rows.Count > paging.Size && rows[paging.Size - 1] is var last)
            response.NextPageToken = Paging.Token(request, string.Create(CultureInfo.InvariantCulture, $"{last.Environment}\n{last.Version}"));
        return response;
    }

    public override Task<TenantPolicy> PutPolicy(PutPolicyRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Policies.PutAsync(tx, request), context.CancellationToken);
}
