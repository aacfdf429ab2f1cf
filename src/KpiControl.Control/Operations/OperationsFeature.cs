namespace KpiControl.Control.Operations;

internal static class OperationsFeature
{
    public static IServiceCollection AddOperations(this IServiceCollection services) => services
        .AddSingleton<ExpiryStore>()
        .AddHostedService<PauseExpiry>();
}
