using KpiControl.Control.Hosting;

namespace KpiControl.Control.OpenLineage;

internal static class OpenLineageFeature
{
    public static IServiceCollection AddOpenLineage(this IServiceCollection services)
    {
        services.AddValidated<OpenLineageOptions>(OpenLineageOptions.Section);
        services.AddSingleton<LineageOutboxStore>();
        services.AddSingleton<LineageMetrics>();
        services.AddHostedService<LineageSender>();
        return services;
    }

    public static void MapOpenLineage(this IEndpointRouteBuilder routes) => routes.MapGrpcService<LineageService>();
}
