using Grpc.Core;
using KpiControl.Control.Database;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Jobs.Contracts;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Catalog;

internal sealed class CatalogService(Databases databases, Mutations mutations) : Protocol.V1.CatalogService.CatalogServiceBase
{
    public override Task<Contract> PutContract(PutContractRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Contracts.PutAsync(tx, request), context.CancellationToken);

    public override Task<Contract> SetContractStatus(SetContractStatusRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Contracts.MoveAsync(tx, request), context.CancellationToken);

    public override async Task<Contract> GetContract(GetContractRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var row = await Contracts.FindAsync(tx, RequestFields.Tenant(tx.Caller, request.Tenant, Verb.Read), request.KpiId, request.Version);
        return row.ToProto(withContent: true);
    }

    public override async Task<ListContractsResponse> ListContracts(ListContractsRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var paging = Paging.Of(request);
        var tenants = request.Tenant.Length > 0 ? [RequestFields.Tenant(tx.Caller, request.Tenant, Verb.List)] : tx.Tenants;
        if (request.ContractType is not ("" or ContractKind.Kpi or ContractKind.Gdp or ContractKind.Raw))
            throw Reject.Invalid("contract_type", "is none of kpi, gdp, raw");
        var rows = await ContractStore.ListAsync(tx, tenants, request.KpiId, request.ContractType, paging.AfterParts('\n', 3), paging.Size + 1);
        var response = new ListContractsResponse { Contracts = { rows.Take(paging.Size).Select(row => row.ToProto(withContent: false)) } };
        if (rows.Count > paging.Size && rows[paging.Size - 1] is var last)
            response.NextPageToken = Paging.Token(request, $"{last.TenantId}\n{last.KpiId}\n{last.Version}");
        return response;
    }

    public override Task<Calendar> PutCalendar(PutCalendarRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Calendars.PutAsync(tx, request), context.CancellationToken);

    public override async Task<Calendar> GetCalendar(GetCalendarRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var row = await Calendars.FindAsync(tx, RequestFields.Tenant(tx.Caller, request.Tenant, Verb.Read), request.Name, request.Version);
        return row.ToProto(withContent: true);
    }

    public override async Task<ListCalendarsResponse> ListCalendars(ListCalendarsRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var paging = Paging.Of(request);
        var tenants = request.Tenant.Length > 0 ? [RequestFields.Tenant(tx.Caller, request.Tenant, Verb.List)] : tx.Tenants;
        var rows = await CalendarStore.PageAsync(tx, tenants, request.Name, paging.AfterParts('\n', 3), paging.Size + 1);
        var response = new ListCalendarsResponse { Calendars = { rows.Take(paging.Size).Select(row => row.ToProto(withContent: false)) } };
        if (rows.Count > paging.Size && rows[paging.Size - 1] is var last)
            response.NextPageToken = Paging.Token(request, FormattableString.Invariant($"{last.TenantId}\n{last.Name}\n{last.Version}"));
        return response;
    }

    public override Task<ListTemplatesResponse> ListTemplates(ListTemplatesRequest request, ServerCallContext context) => Task.FromResult(Templates.List());

    public override async Task<RenderTemplateResponse> RenderTemplate(RenderTemplateRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await Templates.RenderAsync(tx, request);
    }
}
