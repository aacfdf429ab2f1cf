namespace KpiControl.Control.Authoring;

internal static class AuthoringFeature
{
    public static void MapAuthoring(this IEndpointRouteBuilder routes) => routes.MapGrpcService<JobService>();
}
