using KpiControl.Control.Hosting;

namespace KpiControl.Control.OpenLineage;

internal static class OpenLineageFeature
{
    public static IServiceCollection AddOpenLineage(this IServiceCollection services)
    {
        services.AddValidated<OpenLineageOptions>(OpenLineageOptions.Section);
        services.AddSingleton<LineageOutboxStore>();
        services.AddHostedService<LineageSender>();
        return services;
    }
}
