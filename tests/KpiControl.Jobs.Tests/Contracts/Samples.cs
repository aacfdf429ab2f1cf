using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Jobs.Tests.Contracts;

/// <summary>The specification's job and its contract, and the files of the repository.</summary>
internal static class Samples
{
    public const string Dso = """
        # schema_version: 1.0
        job_id: dso_daily
        tenant: acme
        kpi_id: CFO-EF-02
        contract_version: 1.1.0
        schedule:
          type: cron
          expression: "0 2 * * *"
          timezone: "UTC"
        dependencies:
          gdp: [GDP_Receivables, GDP_Sales]
          signals: [erp_eod_sync]
        sla:
          freshness: "24h"
        retry:
          max_retries: 3
          backoff: exponential
        alerts:
          - channel: "slack:#kpi-alerts"
            severity: high
        runtime:
          scd_view: as_reported
          extensions:
            time: [MoM]
          filters:
            - field: ledger_type
              op: "="
              value: actual
        """;

    public const string DsoContract = """
        header:
          contract_id: kpi.finance.ar.receivables_month_company.v1
          contract_type: kpi
          kpi_id: CFO-EF-02
          version: "1.1.0"
          status: active
          owner_business: business
          owner_technical: technical
          dependencies: [GDP_Receivables, GDP_Sales]
        payload:
          grain: month
          dimensions: [ { name: company_id, data_type: VARCHAR } ]
          filters: [ { name: ledger_type, data_type: VARCHAR }, { name: amount, data_type: DOUBLE }, { name: lines, data_type: INTEGER },
            { name: open, data_type: BOOLEAN }, { name: invoice_date, data_type: DATE }, { name: seen_at, data_type: TIMESTAMP },
            { name: serial, data_type: BIGINT }, { name: price, data_type: DECIMAL } ]
          metrics: [ { name: dso_days, metric_type: ratio, data_type: DOUBLE, unit: days } ]
          extensions: { time: [MoM, YoY] }
          freshness_sla_minutes: 1440
          primary_key: [company_id, period]
          expression: { language: sql, text: "SELECT 1" }
          pre_validation: [ { rule_id: keys_unique, check: no_rows, text: "SELECT 1", message: twice } ]
          post_validation: [ { rule_id: within_reason, check: range, min: 1, max: 120 } ]
        """;

    public static string Root { get; } = FindRoot();

    public static JobArtifact Job(string yaml)
    {
        var reading = ArtifactReader.Read(yaml, ArtifactFormat.Yaml);
        Assert.True(reading.Job is not null, string.Join("\n", reading.Findings));
        return reading.Job!;
    }

    public static MetricContract Contract(string yaml)
    {
        var reading = ContractReader.Read(yaml, ArtifactFormat.Yaml);
        Assert.True(reading.Contract is not null, string.Join("\n", reading.Findings));
        return reading.Contract!;
    }

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "KpiControl.sln"))) folder = Path.GetDirectoryName(folder)!;
        return folder;
    }
}
