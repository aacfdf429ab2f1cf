using System.Reflection;
using KpiControl.Control.Hosting;
using Npgsql;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace KpiControl.Control.Telemetry;

/// <summary>
/// Metrics to be scraped, metrics and traces to be pushed, each where it is asked for. Outgoing HTTP is not traced: a channel's
/// address may be its secret.
/// </summary>
internal static class TelemetryFeature
{
    // The product's own, the server's, the driver's and the runtime's.
    private static readonly string[] Meters = ["KpiControl.*", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "Npgsql", "System.Runtime"];

    public static WebApplicationBuilder AddTelemetry(this WebApplicationBuilder builder)
    {
        builder.Services.AddValidated<TelemetryOptions>(TelemetryOptions.Section);
        var options = builder.Configuration.GetSection(TelemetryOptions.Section).Get<TelemetryOptions>() ?? new TelemetryOptions();
        var isScraped = !string.IsNullOrEmpty(builder.Configuration[$"{ListenOptions.Section}:{nameof(ListenOptions.Metrics)}"]);
        // A bad address is reported by the options' own validation.
        var isPushed = Uri.TryCreate(options.OtlpEndpoint, UriKind.Absolute, out _);
        if (!isScraped && !isPushed)
            return builder;
        var telemetry = builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("kpi-control", serviceVersion: Version, serviceInstanceId: builder.Configuration["Leases:Node"] ?? Environment.MachineName))
            .WithMetrics(metrics =>
            {
                metrics.AddMeter(Meters);
                if (isScraped)
                    metrics.AddPrometheusExporter();
                if (isPushed)
                    metrics.AddOtlpExporter(otlp => Address(otlp, options, "v1/metrics"));
            });
        if (isPushed)
            telemetry.WithTracing(traces => traces
                .AddAspNetCoreInstrumentation(http => http.Filter = context => !context.Request.Path.StartsWithSegments("/grpc.health.v1.Health", StringComparison.Ordinal))
                .AddNpgsql()
                .AddOtlpExporter(otlp => Address(otlp, options, "v1/traces")));
        return builder;
    }

    /// <summary>Its listener answers nothing else, and no other listener answers it.</summary>
    public static void UseMetricsDoor(this WebApplication app)
    {
        if (app.Configuration[$"{ListenOptions.Section}:{nameof(ListenOptions.Metrics)}"] is { Length: > 0 })
            app.MapWhen(context => context.Features.Get<MetricsDoor>() is not null, door =>
            {
                door.UseOpenTelemetryPrometheusScrapingEndpoint();
                door.Run(context =>
                {
                    context.Response.StatusCode = StatusCodes.Status404NotFound;
                    return Task.CompletedTask;
                });
            });
    }

    private static string Version =>
        typeof(TelemetryFeature).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "unknown";

    private static void Address(OtlpExporterOptions otlp, TelemetryOptions options, string path)
    {
        var isHttp = options.OtlpProtocol == "http";
        otlp.Protocol = isHttp ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
        otlp.Endpoint = new Uri(isHttp ? $"{options.OtlpEndpoint.TrimEnd('/')}/{path}" : options.OtlpEndpoint);
    }
}
