namespace KpiControl.Control.Alerts;

internal static class AlertFeature
{
    public static IServiceCollection AddAlerts(this IServiceCollection services) => services.AddSingleton<SlaReads>();

    public static void MapAlerts(this IEndpointRouteBuilder routes) => routes.MapGrpcService<AlertService>();
}
