using KpiControl.Control.Hosting;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace KpiControl.Control.Signals;

internal static class SignalFeature
{
    public static IServiceCollection AddSignals(this IServiceCollection services)
    {
        services.AddValidated<SignalOptions>(SignalOptions.Section);
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<DependencyStore>();
        services.AddSingleton<DependencyWaits>();
        services.AddHostedService<DependencySweeper>();
        return services;
    }

    public static void MapSignals(this IEndpointRouteBuilder routes) => routes.MapGrpcService<SignalService>();
}
