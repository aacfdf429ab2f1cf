using KpiControl.Control.Hosting;

namespace KpiControl.Control.Tenants;

internal static class TenantsFeature
{
    public static IServiceCollection AddTenants(this IServiceCollection services)
    {
        services.AddValidated<TenantsOptions>("");
        services.AddSingleton<TenantStore>();
        services.AddHostedService<TenantBootstrap>();
        return services;
    }

    public static void MapTenants(this IEndpointRouteBuilder routes) => routes.MapGrpcService<TenantService>();
}
