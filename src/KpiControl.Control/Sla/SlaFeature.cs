using KpiControl.Control.Hosting;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace KpiControl.Control.Sla;

internal static class SlaFeature
{
    public static IServiceCollection AddSla(this IServiceCollection services)
    {
        services.AddValidated<SlaOptions>(SlaOptions.Section);
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<SlaStore>();
        services.AddHostedService<SlaSweeper>();
        return services;
    }
}
