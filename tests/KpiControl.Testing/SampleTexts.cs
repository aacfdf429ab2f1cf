using KpiControl.Protocol.V1;

namespace KpiControl.Testing;

/// <summary>The repository's own contracts and artifacts, for tests.</summary>
public static class SampleTexts
{
    /// <summary>The specification's example, exactly as it stands there.</summary>
    public static string DsoDaily { get; } = File.ReadAllText(Repository.File("tests", "KpiControl.Jobs.Tests", "Vectors", "dso_daily", "specification.yaml"));

    public static string Contract(string file) => File.ReadAllText(Repository.File("samples", "contracts", file));

    /// <summary>A job with no dependencies and no filters, every quarter of an hour, on <see cref="SimpleContract"/>.</summary>
    public static string Simple(string jobId = "simple", string cron = "*/15 * * * *", string more = "") => $"""
        job_id: {jobId}
        tenant: acme
        kpi_id: T-SIMPLE
        contract_version: 1.0.0
        schedule: {"{"} type: cron, expression: "{cron}", timezone: UTC {"}"}
        {more}
        """;

    public static string SimpleContract(string version = "1.0.0", string status = "active", string dependencies = "[]") => $"""
        header:
          contract_id: kpi.test.simple.v1
          contract_type: kpi
          kpi_id: T-SIMPLE
          version: "{version}"
          status: {status}
          owner_business: business
          owner_technical: technical
          dependencies: {dependencies}
        payload:
          grain: day
          dimensions: [ {"{"} name: company_id, data_type: VARCHAR {"}"} ]
          metrics: [ {"{"} name: amount, data_type: DOUBLE {"}"} ]
          extensions: {"{"} time: [MoM] {"}"}
          primary_key: [company_id, period]
        """;

    public static async Task PutContractAsync(this ControlHost host, string content, CancellationToken token) =>
        await host.Catalog().PutContractAsync(new PutContractRequest { Tenant = "acme", Content = content }, cancellationToken: token);

    /// <summary>Binds <see cref="Simple"/> in <c>dev</c>, with its contract.</summary>
    public static async Task<CreateJobResponse> CreateSimpleAsync(
        this ControlHost host, CancellationToken token, string jobId = "simple", string cron = "*/15 * * * *", string more = "")
    {
        await host.PutContractAsync(SimpleContract(), token);
        return await host.Jobs().CreateJobAsync(new CreateJobRequest { Content = Simple(jobId, cron, more) }, cancellationToken: token);
    }
}
