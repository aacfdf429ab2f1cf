using KpiControl.Control.Hosting;

namespace KpiControl.Control.Audit;

internal static class AuditFeature
{
    public static IServiceCollection AddAudit(this IServiceCollection services)
    {
        services.AddValidated<AuditOptions>(AuditOptions.Section);
        services.AddSingleton<AuditKey>();
        services.AddSingleton<ChainStore>();
        services.AddSingleton<ChainMetrics>();
        services.AddSingleton<ChainExport>();
        services.AddSingleton<WitnessStore>().AddSingleton<WitnessService>();
        services.AddSingleton<Evidence.EvidenceExport>();
        services.AddHostedService<ChainSequencer>();
        return services;
    }

    public static void MapAudit(this IEndpointRouteBuilder routes)
    {
        routes.MapGrpcService<AuditService>();
        routes.MapGrpcService<WitnessService>();
    }
}
