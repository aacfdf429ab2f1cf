using KpiControl.Control.Hosting;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace KpiControl.Control.Leases;

internal static class LeaseFeature
{
    public static IServiceCollection AddLeases(this IServiceCollection services)
    {
        services.AddValidated<LeaseOptions>(LeaseOptions.Section);
        services.TryAddSingleton(TimeProvider.System);
        services
            .AddSingleton<PlanStore>().AddSingleton<PlanCache>()
            .AddSingleton<ContractStatusStore>().AddSingleton<InactiveContracts>().AddSingleton<TenantWeightStore>().AddSingleton<TenantWeights>().AddSingleton<DueStore>().AddSingleton<DueWork>()
            .AddSingleton<ReadyStore>().AddSingleton<ReadyWork>().AddSingleton<AsideStore>().AddSingleton<AsideWork>()
            .AddSingleton<QueueStore>().AddSingleton<OvertakeStore>().AddSingleton<QueueWork>()
            .AddSingleton<WaitStore>().AddSingleton<RouteStore>().AddSingleton<RegionWork>()
            .AddSingleton<SessionStore>().AddSingleton<SessionRegistry>().AddSingleton<LeaseMetrics>().AddSingleton<LeaseSender>()
            .AddSingleton<StageContractStore>().AddSingleton<StageContracts>()
            .AddSingleton<CompletionStore>().AddSingleton<RunFactsStore>().AddSingleton<CompletionRecorder>()
            .AddSingleton<ReclaimStore>().AddSingleton<StreamOpening>().AddSingleton<AgentStream>();
        services.AddRunning<NodeLease>().AddRunning<Dispatcher>().AddRunning<SuccessAnnouncer>().AddRunning<CompletionCollector>()
            .AddRunning<Reclaimer>().AddRunning<WaitExpirer>().AddRunning<SessionWatch>().AddRunning<RevocationWatch>().AddRunning<RouteChecker>().AddRunning<Notifications>();
        services.AddHostedService<StopNotice>();
        return services;
    }

    public static void MapLeases(this IEndpointRouteBuilder routes) => routes.MapGrpcService<AgentGrpcService>();

    private static IServiceCollection AddRunning<TService>(this IServiceCollection services) where TService : BackgroundService =>
        services.AddSingleton<TService>().AddHostedService(provider => provider.GetRequiredService<TService>());
}
