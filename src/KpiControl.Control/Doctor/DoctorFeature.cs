namespace KpiControl.Control.Doctor;

internal static class DoctorFeature
{
    public static IServiceCollection AddDoctor(this IServiceCollection services) => services.AddSingleton<DoctorStore>();

    public static void MapDoctor(this IEndpointRouteBuilder routes) => routes.MapGrpcService<DoctorService>();
}
