namespace KpiControl.Control.Requests;

internal static class RequestsFeature
{
    public static IServiceCollection AddRequests(this IServiceCollection services) => services
        .AddSingleton(TimeProvider.System)
        .AddSingleton<Mutations>()
        .AddSingleton<RequestRetentionStore>()
        .AddHostedService<RequestRetention>();
}
