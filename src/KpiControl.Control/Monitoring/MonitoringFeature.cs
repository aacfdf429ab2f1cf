namespace KpiControl.Control.Monitoring;

internal static class MonitoringFeature
{
    public static IServiceCollection AddMonitoring(this IServiceCollection services) => services.AddSingleton<LoadReads>().AddSingleton<OverviewReads>();

    public static void MapMonitoring(this IEndpointRouteBuilder routes) => routes.MapGrpcService<MonitorService>();
}
