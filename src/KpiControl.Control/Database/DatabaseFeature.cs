using KpiControl.Control.Hosting;

namespace KpiControl.Control.Database;

internal static class DatabaseFeature
{
    public static IServiceCollection AddDatabase(this IServiceCollection services)
    {
        services.AddValidated<DatabaseOptions>(DatabaseOptions.Section);
        services.AddSingleton<Databases>();
        services.AddHostedService<SchemaGate>();
        services.AddHostedService<PartitionKeeper>();
        return services;
    }
}
