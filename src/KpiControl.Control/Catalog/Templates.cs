using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using KpiControl.Jobs.Templates;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Catalog;

/// <summary>Artifacts made from templates, by the same code as <c>kpictl init</c>'s; what is answered validates as it stands.</summary>
internal static class Templates
{
    private const int MostValues = 100;

    public static ListTemplatesResponse List() => new() { Templates = { JobTemplate.All.Select(template => template.ToProto()) } };

    public static async Task<RenderTemplateResponse> RenderAsync(RequestTransaction tx, RenderTemplateRequest request)
    {
        var tenant = RequestFields.Tenant(tx.Caller, request.Tenant, Verb.Read);
        var template = JobTemplate.Find(RequestFields.Required("template", request.Template))
            ?? throw Reject.NotFound($"The template {request.Template} (of {string.Join(", ", JobTemplate.All.Select(known => known.Name))})");
        var row = await Contracts.FindAsync(tx, tenant, RequestFields.Required("kpi_id", request.KpiId), RequestFields.Required("version", request.Version));
        if (row.ContractType != ContractKind.Kpi)
            throw Reject.Invalid("kpi_id", $"{row.KpiId} is a table: a job is made from the contract of a KPI");
        var filled = template.Fill(JobCheck.Understand(row), Values(request, tenant), request.Schema.Length > 0 ? request.Schema : JobSchema.ServedAt);
        if (filled.Text is not { } text)
        {
            FindingMapping.DemandNoErrors(filled.Findings);
            throw new InvalidOperationException($"The template {template.Name} made nothing and said nothing.");
        }
        var made = await JobCheck.CheckAsync(tx, Submission.Of(text, ArtifactFormat.Yaml.Word(), request.Environment, request.Region), Verb.Read);
        // Lines of a text that is not answered say nothing.
        FindingMapping.DemandNoErrors([.. made.Findings.Select(finding => finding.Severity == Severity.Error ? finding with { Line = 0, Column = 0 } : finding)]);
        return new RenderTemplateResponse
        {
            Format = ArtifactFormat.Yaml.Word(), Content = text, ContentHash = made.Reading.ContentHash, Findings = { made.Findings.Select(finding => finding.ToProto()) },
        };
    }

    private static Dictionary<string, string> Values(RenderTemplateRequest request, string tenant)
    {
        if (request.Values.Count > MostValues)
            throw Reject.Invalid("values", FormattableString.Invariant($"has more than {MostValues} members: no template asks for so many"));
        if (request.Values.TryGetValue("tenant", out var other) && other != tenant)
            throw Reject.Invalid("values.tenant", $"is not {tenant}, the tenant of the request: leave it out");
        return new(request.Values) { ["tenant"] = tenant };
    }

    private static Template ToProto(this JobTemplate template) => new()
    {
        Name = template.Name, Description = template.Description,
        Parameters =
        {
            template.Parameters.Select(parameter => new Protocol.V1.TemplateParameter
            {
                Name = parameter.Name, Description = parameter.Description, DefaultValue = parameter.Default ?? "", Required = parameter.Default is null,
                Type = parameter.IsInteger ? "integer" : "text",
            }),
        },
    };
}
