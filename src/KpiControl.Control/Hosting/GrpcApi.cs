using Google.Protobuf.Reflection;
using Grpc.AspNetCore.Server;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace KpiControl.Control.Hosting;

/// <summary>What all services share: interceptors, limits, REST by transcoding, health, reflection.</summary>
internal static class GrpcApi
{
    public static IServiceCollection AddGrpcApi(this IServiceCollection services)
    {
        services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = 4 << 20;
            grpc.MaxSendMessageSize = 16 << 20;
            grpc.EnableDetailedErrors = false;
            grpc.Interceptors.Add<OutageInterceptor>();
        }).AddJsonTranscoding(json => json.TypeRegistry = ErrorDetails());
        services.AddGrpcReflection();
        services.AddGrpcHealthChecks(health =>
        {
            foreach (var service in Services)
                health.Services.Map(service.FullName, _ => true);
        }).AddCheck("serving", () => HealthCheckResult.Healthy());
        return services;
    }

    /// <summary>Every service that is served here: probes, and the check of each message, go by this list alone.</summary>
    public static IReadOnlyList<Google.Protobuf.Reflection.ServiceDescriptor> Services { get; } =
    [
        .. new[]
        {
            JobServiceReflection.Descriptor,
            ChangeServiceReflection.Descriptor,
            DriftServiceReflection.Descriptor,
            CatalogServiceReflection.Descriptor,
            SignalServiceReflection.Descriptor,
            RestatementServiceReflection.Descriptor,
            FleetServiceReflection.Descriptor,
            DoctorServiceReflection.Descriptor,
            MonitorServiceReflection.Descriptor,
            TenantServiceReflection.Descriptor,
            AuditServiceReflection.Descriptor,
            AlertServiceReflection.Descriptor,
            LineageServiceReflection.Descriptor,
            AgentServiceReflection.Descriptor,
            WitnessServiceReflection.Descriptor,
        }.SelectMany(file => file.Services),
    ];

    public static void MapGrpcInfrastructure(this IEndpointRouteBuilder routes)
    {
        routes.MapGrpcReflectionService();
        routes.MapGrpcHealthChecksService();
    }

    // So that REST shows the same rich errors as gRPC.
    private static TypeRegistry ErrorDetails() => TypeRegistry.FromFiles(
        Google.Rpc.ErrorDetailsReflection.Descriptor, JobServiceReflection.Descriptor, CatalogServiceReflection.Descriptor, SignalServiceReflection.Descriptor);
}
