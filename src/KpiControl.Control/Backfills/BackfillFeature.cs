namespace KpiControl.Control.Backfills;

internal static class BackfillFeature
{
    public static IServiceCollection AddBackfills(this IServiceCollection services) => services
        .AddSingleton<FeedStore>()
        .AddHostedService<BackfillFeeder>();
}
