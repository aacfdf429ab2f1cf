using KpiControl.Agent.Execution;
using KpiControl.Agent.Hosting;
using KpiControl.Agent.Leasing;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace KpiControl.Agent.Telemetry;

/// <summary>
/// Metrics and traces, pushed where somebody asks for it. Neither the driver's nor the HTTP client's own are among them: an
/// address of a connection may be its secret.
/// </summary>
internal static class TelemetryFeature
{
    public static void AddTelemetry(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<TelemetryOptions>().BindConfiguration(TelemetryOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        var options = builder.Configuration.GetSection(TelemetryOptions.Section).Get<TelemetryOptions>() ?? new TelemetryOptions();
        // A bad address is reported by the options' own validation.
        if (!Uri.TryCreate(options.OtlpEndpoint, UriKind.Absolute, out _))
            return;
        var agent = builder.Configuration.GetSection(AgentOptions.Section);
        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("kpi-agent", serviceVersion: FinishedReport.Build, serviceInstanceId: agent[nameof(AgentOptions.Name)])
                .AddAttributes([new("kpicontrol.region", agent[nameof(AgentOptions.Region)] ?? "")]))
            .WithMetrics(metrics => metrics
                .AddMeter(AttemptTelemetry.Name, "System.Runtime")
                .AddInstrumentation(p => ActivatorUtilities.CreateInstance<AgentGauges>(p))
                .AddOtlpExporter(otlp => Address(otlp, options, "v1/metrics")))
            .WithTracing(traces => traces.AddSource(AttemptTelemetry.Name).AddOtlpExporter(otlp => Address(otlp, options, "v1/traces")));
    }

    private static void Address(OtlpExporterOptions otlp, TelemetryOptions options, string path)
    {
        var isHttp = options.OtlpProtocol == "http";
        otlp.Protocol = isHttp ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
        otlp.Endpoint = new Uri(isHttp ? $"{options.OtlpEndpoint.TrimEnd('/')}/{path}" : options.OtlpEndpoint);
    }
}
