using KpiControl.Jobs.Artifacts;
using Scalar.AspNetCore;

namespace KpiControl.Control.Rest;

/// <summary>The edges of gRPC and REST, and what REST serves beside the methods.</summary>
internal static class RestFeature
{
    public const string OpenApiPath = "/openapi/v1.json";

    public static void UseEdges(this WebApplication app)
    {
        app.UseMiddleware<GrpcEdge>();
        app.UseMiddleware<RestEdge>();
    }

    public static void MapRest(this WebApplication app)
    {
        var document = new Lazy<Task<string>>(() => ApiDocument.WriteAsync(CancellationToken.None));
        app.MapGet(OpenApiPath, async () => Results.Text(await document.Value, "application/json"));
        app.MapGet(JobSchema.ServedAt, () => Results.Text(JobSchema.Text, "application/schema+json"));
        app.MapHealthChecks("/health");
        // Everything the page loads is in the package: no fonts, telemetry or services of another host.
        app.MapScalarApiReference("/docs", page => page
            .WithTitle("KpiControl").WithOpenApiRoutePattern(OpenApiPath).DisableDefaultFonts().DisableTelemetry().DisableAgent().DisableMcp());
    }
}
