using KpiControl.Control.Drift.Stores;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Drift;

internal static class DriftFeature
{
    public static IServiceCollection AddDrift(this IServiceCollection services)
    {
        services.AddValidated<DriftOptions>(DriftOptions.Section);
        services.AddSingleton<SyncStateStore>().AddSingleton<PendingWriteStore>().AddSingleton<ArtifactStores>().AddSingleton<StorePass>().AddSingleton<DriftAlertStore>();
        services.AddHostedService<StoreBootstrap>().AddHostedService<StoreSync>().AddHostedService<DriftTeller>();
        return services;
    }

    public static void MapDrift(this IEndpointRouteBuilder routes) => routes.MapGrpcService<DriftService>();
}
