namespace KpiControl.Control.Fleet;

internal static class FleetFeature
{
    public static void MapFleet(this IEndpointRouteBuilder routes) => routes.MapGrpcService<FleetService>();
}
