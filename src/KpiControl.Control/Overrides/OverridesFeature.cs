namespace KpiControl.Control.Overrides;

internal static class OverridesFeature
{
    public static IServiceCollection AddOverrides(this IServiceCollection services) => services
        .AddSingleton<OverrideExpiryStore>()
        .AddHostedService<OverrideExpiry>();
}
