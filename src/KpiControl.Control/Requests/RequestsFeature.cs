using Grpc.AspNetCore.Server;

namespace KpiControl.Control.Requests;

internal static class RequestsFeature
{
    public static IServiceCollection AddRequests(this IServiceCollection services) => services
        // After the caller was let in: what was sent is nobody else's business.
        .PostConfigure<GrpcServiceOptions>(grpc => grpc.Interceptors.Add<RequestBounds>())
        .AddSingleton(TimeProvider.System)
        .AddSingleton<Mutations>()
        .AddSingleton<RequestRetentionStore>()
        .AddHostedService<RequestRetention>();
}
