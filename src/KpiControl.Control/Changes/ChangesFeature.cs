namespace KpiControl.Control.Changes;

internal static class ChangesFeature
{
    public static void MapChanges(this IEndpointRouteBuilder routes) => routes.MapGrpcService<ChangeService>();
}
